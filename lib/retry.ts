import { messageChain, PipelineError } from "./errors.ts";
import type { Log } from "./log.ts";
import { sleep } from "./sleep.ts";
import type { Wait } from "./waits.ts";

export interface RetryOptions {
  /** What is waited for, as a person would say it: "Kafka at localhost:9092". */
  readonly what: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Somebody else says that it is waited for: here only a debug line does. */
  readonly quiet?: boolean;
  /** What a person can do about it, said with the first failure. */
  readonly hint?: string;
  /** How often to try in all; for ever by default. */
  readonly attempts?: number;
  readonly baseMs?: number;
  readonly maxMs?: number;
  readonly random?: () => number;
  /** Told of each failure that is waited out, before the wait. */
  readonly onWait?: (failure: { readonly error: unknown; readonly ms: number }) => Promise<void>;
}

/**
 * Calls `attempt` until it succeeds. Only retryable failures are waited out, with exponential
 * backoff and full jitter; anything else, and the last failure allowed, is thrown as it is.
 * Says once what it waits for, and once that it goes on; meanwhile it is among the log's waits.
 */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal } = options;
  using patience = createPatience(options);
  for (;;) {
    signal.throwIfAborted();
    try {
      const result = await attempt();
      patience.succeeded();
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const ms = patience.failed(error);
      await options.onWait?.({ error, ms });
      await sleep(ms, signal);
    }
  }
}

/** Counts failures and tells of them; throws those that no waiting helps. */
function createPatience(options: RetryOptions) {
  const { log, what, hint, quiet = false, attempts = Number.POSITIVE_INFINITY } = options;
  const started = performance.now();
  let failures = 0;
  let counted = 0;
  let wait: Wait | undefined;
  return {
    succeeded: () => {
      if (failures > 0)
        log[quiet ? "debug" : "info"]({ what, seconds: seconds(started) }, "there again");
    },
    /** For how many milliseconds to wait before the next attempt. */
    failed: (error: unknown): number => {
      if (!(error instanceof PipelineError && error.retryable)) throw error;
      failures += 1;
      // Being asked to come back later is no failure of the attempt.
      if (error.code !== "rate_limited") counted += 1;
      if (counted >= attempts) throw error;
      const ms = error.retryAfterMs ?? backoffMs(failures, options);
      const reason = messageChain(error).join(": ");
      if (wait) {
        log.debug({ what, reason, failures, ms }, "still waiting");
      } else {
        wait = log.waits.begin(what, reason);
        log[quiet ? "debug" : "warn"]({ what, reason, ...(hint ? { hint } : {}) }, "waiting");
      }
      wait.failed(reason);
      return ms;
    },
    [Symbol.dispose]: () => wait?.over(),
  };
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
