import { Cron } from "croner";

export interface Ticks {
  readonly cron: string;
  readonly timezone: string;
}

/** The first logical time after `after`; undefined when the expression has none left. */
export function nextTick({ cron, timezone }: Ticks, after: Date): Date | undefined {
  return new Cron(cron, { timezone, paused: true }).nextRun(after) ?? undefined;
}

/**
 * The newest logical time after `after` that is due at `now`; undefined when none is. Older ones that were
 * missed meanwhile are not made up for.
 */
export function dueTick(ticks: Ticks, after: Date, now: Date): Date | undefined {
  let due: Date | undefined;
  for (let tick = nextTick(ticks, after); tick && tick <= now; tick = nextTick(ticks, tick))
    due = tick;
  return due;
}
