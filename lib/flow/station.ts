import type { StationHealth } from "../domain/pipeline.ts";
import { messageChain, PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";

/** A server that is asked how it stands, again and again. */
export interface AskedStation<T> {
  /** Its answer; undefined when there is none in time, or when it fails. */
  now(): Promise<T | undefined>;
  health(): StationHealth;
}

export interface StationOptions {
  readonly name: string;
  readonly now: () => Date;
  /** What is known of why it does not answer, where the question itself just waits. */
  readonly reason?: () => string | undefined;
}

/** What a server has to answer; later it counts as not there. */
const answerMs = 3000;

/** One question at a time: one that is not answered yet is not asked again. */
export function askedStation<T>(
  ask: () => Promise<T>,
  { name, now, reason = () => undefined }: StationOptions,
): AskedStation<T> {
  let asking: Promise<T> | undefined;
  let health: StationHealth = { up: null, since: null, lastError: null };
  const seen = (up: boolean, message?: string) => {
    const at = now().toISOString();
    health = {
      up,
      since: health.up === up ? health.since : at,
      lastError: message === undefined ? health.lastError : { at, message },
    };
  };
  return {
    now: async () => {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      const done = new AbortController();
      const late = sleep(answerMs, done.signal).then(
        () => undefined,
        () => undefined,
      );
      try {
        const answer = await Promise.race([asking.then((answer) => ({ answer })), late]);
        if (answer) seen(true);
        else seen(false, reason() ?? `${name} does not answer within ${answerMs / 1000} s`);
        return answer?.answer;
      } catch (error) {
        // A process that is stopping asks nobody any more: that is no fault of ours.
        const stopped = error instanceof DOMException;
        if (!(error instanceof PipelineError || stopped)) throw error;
        seen(false, messageChain(error).join(": "));
        return undefined;
      } finally {
        done.abort();
      }
    },
    health: () => health,
  };
}
