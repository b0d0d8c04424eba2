import { Cron } from "croner";

export interface Ticks {
  readonly cron: string;
  readonly timezone: string;
}

/** The first logical time after `after`; undefined when the expression has none left. */
export function nextTick({ cron, timezone }: Ticks, after: Date): Date | undefined {
  return new Cron(cron, { timezone, paused: true }).nextRun(after) ?? undefined;
}

/** The next logical times after `after`, so many if there are. */
export function ticksAfter({ cron, timezone }: Ticks, after: Date, count: number): readonly Date[] {
  return new Cron(cron, { timezone, paused: true }).nextRuns(count, after);
}

/** The logical times after `after` and up to `last`, oldest first, at most `limit` of them. */
export function ticksBetween(
  { cron, timezone }: Ticks,
  { after, last, limit }: { readonly after: Date; readonly last: Date; readonly limit: number },
): readonly Date[] {
  const job = new Cron(cron, { timezone, paused: true });
  const ticks: Date[] = [];
  for (let at = job.nextRun(after); at && at <= last && ticks.length < limit; at = job.nextRun(at))
    ticks.push(at);
  return ticks;
}

/** The newest logical time after `after` that is due at `now`; undefined when none is. */
export function dueTick({ cron, timezone }: Ticks, after: Date, now: Date): Date | undefined {
  // Before the next second: a tick at this very moment is due.
  const before = new Date(Math.floor(now.getTime() / 1000 + 1) * 1000);
  const [due] = new Cron(cron, { timezone, paused: true }).previousRuns(1, before);
  return due !== undefined && due > after ? due : undefined;
}
