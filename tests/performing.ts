import type { RetryPolicy } from "../lib/domain/attempt.ts";
import type { Notes } from "../lib/flow/source-to-raw.ts";

/** Four more attempts, at once. */
export const policy: RetryPolicy = {
  ...{ retries: 4, delayMs: 0, exponential: true, maxDelayMs: 0, timeoutMs: 0 },
};

/** For attempts whose log nobody reads. */
export const silentNotes: Notes = { note: async () => {} };
