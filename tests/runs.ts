import type { Run } from "../lib/domain/run.ts";

const midnight = "2026-01-01T00:00:00.000Z";

/** A run made by hand that has ended well, but for what is given. */
export function aRun(given: Partial<Run> & Pick<Run, "id">): Run {
  return {
    ...{ trigger: "manual", logicalTime: null, state: "success", attempt: 1 },
    ...{ seed: `run-${given.id}-`, results: 10, nat: [], pages: 1 },
    ...{ fetched: 10, accepted: 10, rejected: 0, published: 10, error: null, errorChain: [] },
    ...{ notBefore: null, cancelRequested: false, worker: null, heartbeatAt: null },
    ...{ createdAt: midnight, startedAt: midnight, finishedAt: midnight, seconds: 1 },
    traceId: "0123456789abcdef0123456789abcdef",
    ...given,
  };
}
