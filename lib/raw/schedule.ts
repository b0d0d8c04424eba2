import { asked, type Sql } from "./client.ts";

export interface Schedule {
  readonly cron: string;
  readonly timezone: string;
  readonly paused: boolean;
}

/** The schedule all instances share. */
export interface ScheduleStore {
  /**
   * Applies the settings where they differ from those applied last; else what was set at run time
   * stands.
   */
  apply(settings: { readonly cron: string; readonly timezone: string }): Promise<Schedule>;
  get(): Promise<Schedule>;
  /** The newest logical time that has a scheduled run. */
  newest(): Promise<Date | undefined>;
}

export function createScheduleStore(sql: Sql): ScheduleStore {
  return {
    apply: ({ cron, timezone }) =>
      asked("apply the schedule", async () => {
        await sql`
          insert into schedule as s (cron, timezone, applied_cron, applied_timezone)
          values (${cron}, ${timezone}, ${cron}, ${timezone})
          on conflict (only_row) do update
          set cron = excluded.cron, timezone = excluded.timezone,
            applied_cron = excluded.cron, applied_timezone = excluded.timezone
          where (s.applied_cron, s.applied_timezone) is distinct from (excluded.cron, excluded.timezone)`;
        return get(sql);
      }),
    get: () => asked("read the schedule", () => get(sql)),
    newest: () =>
      asked("read the newest logical time", async () => {
        const [row] = await sql<{ newest: Date | null }[]>`
          select max(logical_time) as newest from runs where trigger = 'schedule'`;
        return row?.newest ?? undefined;
      }),
  };
}

async function get(sql: Sql): Promise<Schedule> {
  const [row] = await sql<Schedule[]>`select cron, timezone, paused from schedule`;
  return row ?? { cron: "0 * * * *", timezone: "UTC", paused: false };
}
