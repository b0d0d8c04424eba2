import type { Run } from "../../../domain/run.ts";

/** How far a run has come, and how fast it goes. */
export interface RunProgress {
  /** From 0 to 1. */
  readonly done: number;
  /** Users a second in the last seconds, or of the whole attempt when it has ended. */
  readonly perSecond: number | null;
  /** Until all are received, if it goes on like this. */
  readonly secondsLeft: number | null;
}

/** What was seen of a run at one moment; milliseconds. */
interface Seen {
  readonly at: number;
  readonly fetched: number;
}

/** Rates are of this long: shorter they jump from page to page. */
const windowMs = 15_000;

/** Follows a run, told of as it changes. */
export function followProgress(): (run: Run, now: number) => RunProgress {
  let seen: readonly Seen[] = [];
  return (run, now) => {
    const begunAnew = run.fetched < (seen.at(-1)?.fetched ?? 0);
    if (run.state !== "running" || begunAnew) seen = [];
    if (seen.at(-1)?.fetched !== run.fetched) seen = [...seen, { at: now, fetched: run.fetched }];
    // One from before the window stays: a rate has two ends.
    const late = seen.findLastIndex(({ at }) => at <= now - windowMs);
    seen = seen.slice(Math.max(0, late));
    const perSecond = run.state === "running" ? rateOf(seen, now) : overall(run);
    const left = run.results - run.fetched;
    const known = run.state === "running" && perSecond !== null && perSecond > 0;
    return {
      done: run.state === "success" ? 1 : Math.min(1, run.fetched / run.results),
      perSecond,
      secondsLeft: known ? left / perSecond : null,
    };
  };
}

function rateOf(seen: readonly Seen[], now: number): number | null {
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined || first === last) return null;
  return ((last.fetched - first.fetched) * 1000) / Math.max(1, now - first.at);
}

/** Of a run that has ended. One that went on after an earlier attempt has received more than in it. */
function overall({ fetched, seconds, attempt }: Run): number | null {
  return seconds && fetched > 0 && attempt === 1 ? fetched / seconds : null;
}
