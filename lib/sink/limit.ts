/**
 * How many requests a store takes at once, found by trying: additive increase, multiplicative
 * decrease, as TCP does it. Pure: it has no clock and waits for nothing.
 */
export interface Limit {
  /** Requests that may be in flight, from 1 to `max`. */
  readonly slots: number;
  readonly inFlight: number;
  /** A request starts. */
  start(): StartedRequest;
  /** It has ended: after so many milliseconds, or because the store could not keep up. */
  end(request: StartedRequest, outcome: Outcome): void;
}

export type Outcome = { readonly ms: number } | "overloaded";

/** What a request must remember: in which round it started. */
export type StartedRequest = number;

export interface LimitOptions {
  readonly max?: number;
  readonly first?: number;
  /** An answer that takes longer says that the store has more to do than it can. */
  readonly slowMs?: number;
}

/**
 * Grows while all slots are used and answers come in time: by one for each answer until the first
 * trouble, then by one for each round of answers. Slow answers take a tenth away, time-outs a half,
 * once a round: what had started before is no news.
 */
export function createLimit({ max = 128, first = 16, slowMs = 500 }: LimitOptions = {}): Limit {
  let limit = Math.min(first, max);
  let calm = max;
  let inFlight = 0;
  let round = 0;
  const shrink = (started: StartedRequest, to: number) => {
    if (started !== round) return;
    round += 1;
    limit = Math.max(1, limit * to);
    calm = limit;
  };
  return {
    get slots() {
      return Math.floor(limit);
    },
    get inFlight() {
      return inFlight;
    },
    start: () => {
      inFlight += 1;
      return round;
    },
    end: (started, outcome) => {
      const full = inFlight >= Math.floor(limit);
      inFlight -= 1;
      if (outcome === "overloaded") shrink(started, 0.5);
      else if (outcome.ms > slowMs) shrink(started, 0.9);
      else if (full) limit = Math.min(max, limit + (limit < calm ? 1 : 1 / limit));
    },
  };
}
