import type { Backfill, BackfillRequest } from "../domain/backfill.ts";
import type { Schedule, ScheduleChanges, Standing } from "../domain/schedule.ts";
import { type Backfilled, type BackfillStore, backfill } from "./backfill.ts";
import { nextTick, type Ticks, ticksAfter } from "./ticks.ts";

/* The schedule and backfills as people work with them, by HTTP and on the command line. */

/** The schedule, how far it has come, and when it makes a run next. */
export interface ScheduleView extends Schedule {
  /** The next logical time, ISO 8601, UTC; null while it is paused. */
  readonly next: string | null;
  /** All logical times up to this one are dealt with; ISO 8601, UTC. */
  readonly watermark: string;
  /** Scheduled runs that wait or are performed. */
  readonly active: number;
}

export interface ScheduleDesk {
  get(): Promise<ScheduleView>;
  /** Undefined, and nothing is changed, when the version is not the one expected. */
  change(
    settings: ScheduleChanges,
    options?: { readonly version?: number },
  ): Promise<ScheduleView | undefined>;
  /**
   * The next logical times, ISO 8601, UTC; none while it is paused. With another cron expression or
   * time zone those that it would have then, paused or not.
   */
  next(count: number, changes?: Partial<Ticks>): Promise<readonly string[]>;
}

export interface BackfillDesk {
  /** As `backfill`: by the schedule as it stands, and PostgreSQL's clock. */
  create(request: BackfillRequest, options: { readonly dryRun: boolean }): Promise<Backfilled>;
  /** With `running` also the runs that are performed. Undefined when there is none. */
  cancel(id: number, options?: { readonly running?: boolean }): Promise<Backfill | undefined>;
  get(id: number): Promise<Backfill | undefined>;
  /** The newest first, older than `before` if given. */
  list(options: { readonly limit: number; readonly before?: number }): Promise<readonly Backfill[]>;
}

/** Where the schedule is kept. */
export interface SharedSchedule {
  standing(): Promise<Standing>;
  change(
    settings: ScheduleChanges,
    options?: { readonly version?: number },
  ): Promise<Schedule | undefined>;
}

/** Both, over the same store. */
export function createDesks(store: {
  readonly schedule: SharedSchedule;
  readonly backfills: Parameters<typeof createBackfillDesk>[0];
}): { readonly schedule: ScheduleDesk; readonly backfills: BackfillDesk } {
  return {
    schedule: createScheduleDesk(store.schedule),
    backfills: createBackfillDesk(store.backfills, store.schedule),
  };
}

export function createScheduleDesk(schedule: SharedSchedule): ScheduleDesk {
  const get = async () => viewOf(await schedule.standing());
  return {
    get,
    change: async (settings, options) =>
      (await schedule.change(settings, options)) ? await get() : undefined,
    next: async (count, changes = {}) => {
      const standing = await schedule.standing();
      const asItStands = Object.keys(changes).length === 0;
      const none = asItStands && standing.paused;
      const times = none ? [] : ticksAfter({ ...standing, ...changes }, standing.now, count);
      return times.map((time) => time.toISOString());
    },
  };
}

export function createBackfillDesk(
  backfills: BackfillStore & Omit<BackfillDesk, "create">,
  schedule: Pick<SharedSchedule, "standing">,
): BackfillDesk {
  return {
    ...backfills,
    create: async (request, { dryRun }) => {
      const standing = await schedule.standing();
      return await backfill(request, backfills, { schedule: standing, now: standing.now, dryRun });
    },
  };
}

function viewOf({ watermark, now, active, ...schedule }: Standing): ScheduleView {
  const next = schedule.paused ? undefined : nextTick(schedule, now);
  const times = { next: next?.toISOString() ?? null, watermark: watermark.toISOString() };
  return { ...schedule, ...times, active };
}
