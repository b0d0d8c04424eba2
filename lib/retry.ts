import { messageChain, PipelineError } from "./errors.ts";
import type { Log } from "./log.ts";
import { sleep } from "./sleep.ts";

export interface RetryOptions {
  /** What is waited for, as a person would say it: "Kafka at localhost:9092". */
  readonly what: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** What a person can do about it, said with the first failure. */
  readonly hint?: string;
  /** How often to try in all; for ever by default. */
  readonly attempts?: number;
  readonly baseMs?: number;
  readonly maxMs?: number;
  readonly random?: () => number;
}

/**
 * Calls `attempt` until it succeeds. Only retryable failures are waited out, with exponential
 * backoff and full jitter; anything else, and the last failure allowed, is thrown as it is.
 * Says once what it waits for, and once that it goes on.
 */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { log, signal, what, hint, attempts = Number.POSITIVE_INFINITY } = options;
  const started = performance.now();
  for (let failures = 0, counted = 0; ; ) {
    signal.throwIfAborted();
    try {
      const result = await attempt();
      if (failures > 0) log.info({ what, seconds: seconds(started) }, "there again");
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PipelineError && error.retryable)) throw error;
      failures += 1;
      // Being asked to come back later is no failure of the attempt.
      if (error.code !== "rate_limited") counted += 1;
      if (counted >= attempts) throw error;
      const ms = error.retryAfterMs ?? backoffMs(failures, options);
      const reason = messageChain(error).join(": ");
      if (failures === 1) log.warn({ what, reason, ...(hint ? { hint } : {}) }, "waiting");
      else log.debug({ what, reason, failures, ms }, "still waiting");
      await sleep(ms, signal);
    }
  }
}

/** Full jitter: anywhere between nothing and the exponential bound, so that a crowd spreads out. */
export function backoffMs(
  failures: number,
  { baseMs = 200, maxMs = 10_000, random = Math.random }: Partial<RetryOptions> = {},
): number {
  return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)));
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10;
}
