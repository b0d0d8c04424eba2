import type { Run, RunRequest } from "../domain/run.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { together } from "../together.ts";
import { type PerformOptions, performRun, type RunStore } from "./perform-runs.ts";
import { type Outbox, type Publisher, rawToTopic } from "./raw-to-topic.ts";
import type { Source } from "./source-to-raw.ts";

export interface OnceRuns extends RunStore {
  create(request: RunRequest): Promise<Run>;
  get(id: number): Promise<Run | undefined>;
}

export interface OnceStations {
  readonly source: Source;
  readonly runs: OnceRuns;
  readonly outbox: Outbox;
  readonly topic: Publisher;
}

export interface OnceOptions extends PerformOptions {
  readonly worker: string;
  /** Told a few times a second how many users are on the topic, and how many are kept. */
  readonly onProgress?: (published: number, note: string) => void;
}

const lookMs = 250;
const claimMs = 1000;

/**
 * One run from the API to the topic: resolves when it has ended and all that it accepted is
 * acknowledged by the topic, whoever fetched or relayed it.
 */
export async function ingestOnce(
  request: RunRequest,
  { source, runs, outbox, topic }: OnceStations,
  { worker, onProgress, ...options }: OnceOptions,
): Promise<Run> {
  const { log, signal } = options;
  const waiting = { what: "PostgreSQL", log, signal };
  const requestId = crypto.randomUUID();
  const made = await retry(() => runs.create({ ...request, requestId }), waiting);
  const done = new AbortController();
  let last = made;
  await together(AbortSignal.any([signal, done.signal]), [
    async (either) => {
      // A service beside this may have taken it first: it does it just as well, unless it dies.
      for (; !ended(last); await sleep(claimMs, either)) {
        const run = await retry(() => runs.claim(worker, made.id), waiting);
        if (run) await performRun(run, runs, source, { ...options, signal: either });
      }
    },
    (either) => rawToTopic(outbox, topic, { log, signal: either }),
    async (either) => {
      while (!ended(last) || last.published < last.accepted) {
        await sleep(lookMs, either);
        last = (await retry(() => runs.get(made.id), waiting)) ?? last;
        onProgress?.(last.published, `${last.accepted} kept`);
      }
      done.abort();
    },
  ]);
  signal.throwIfAborted();
  return last;
}

function ended(run: Run): boolean {
  return run.state !== "queued" && run.state !== "running";
}
