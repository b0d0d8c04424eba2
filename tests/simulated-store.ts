import type { Limit } from "../lib/sink/limit.ts";

/** A store that works requests off one after the other, and a client that always has more of them. */
export interface Simulation {
  /** Answers in time, until now. */
  answered: number;
  timedOut: number;
  /** Milliseconds, of the latest answer. */
  lastMs: number;
  /** Goes on for so long, with a store that does so many requests a second. */
  run(seconds: number, requestsPerSecond: number): Simulation;
}

/** No clock and no chance: the same calls give the same numbers. */
export function simulate(
  limit: Limit,
  { latencyMs = 2, timeoutMs = 12_000 }: { latencyMs?: number; timeoutMs?: number } = {},
): Simulation {
  const ends: { at: number; started: number; end: () => void }[] = [];
  let now = 0;
  let storeFreeAt = 0;
  const start = (perSecond: number) => {
    const request = limit.start();
    const started = now;
    // What the client gave up is worked off all the same.
    storeFreeAt = Math.max(now, storeFreeAt) + 1000 / perSecond;
    const answerAt = storeFreeAt + latencyMs;
    const late = answerAt > started + timeoutMs;
    ends.push({
      at: late ? started + timeoutMs : answerAt,
      started,
      end: () => {
        limit.end(request, late ? "overloaded" : { ms: now - started });
        if (late) state.timedOut += 1;
        else state.answered += 1;
        if (!late) state.lastMs = now - started;
      },
    });
  };
  const state: Simulation = {
    answered: 0,
    timedOut: 0,
    lastMs: 0,
    run: (seconds, perSecond) => {
      const until = now + seconds * 1000;
      for (;;) {
        while (limit.inFlight < limit.slots) start(perSecond);
        ends.sort((a, b) => a.at - b.at);
        if ((ends[0]?.at ?? until) >= until) break;
        const next = ends.shift();
        now = next?.at ?? until;
        next?.end();
      }
      now = until;
      return state;
    },
  };
  return state;
}
