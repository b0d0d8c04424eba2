import type { Fault } from "../../lib/local/fake-api/faults.ts";

export interface Source {
  /** What every request meets while it is set. */
  fault: Fault | undefined;
  /** For the stand-in of the API: what the next request meets. */
  readonly next: () => Fault | undefined;
}

/**
 * What the API does to its requests: the fault that is set, else what is ordinary with it. Some
 * users come again with other content, some are invalid, some ids come twice in a page.
 */
export function createSource(): Source {
  let requests = 0;
  const source: Source = {
    fault: undefined,
    next: () => {
      requests += 1;
      return source.fault ?? ordinary[requests % ordinary.length];
    },
  };
  return source;
}

const ordinary: readonly (Fault | undefined)[] = [
  undefined,
  { kind: "changed", amount: 0.2, times: 1 },
  { kind: "invalid", amount: 0.01, times: 1 },
  { kind: "duplicates", amount: 0.01, times: 1 },
];
