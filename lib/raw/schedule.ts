import { seedOf } from "../domain/run.ts";
import type { Decision, Schedule, ScheduleChanges, Standing } from "../domain/schedule.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql } from "./client.ts";

/**
 * The schedule all instances share. Each change is one statement, so that an instance that stands
 * still anywhere holds up no other.
 */
export interface SharedSchedule {
  /**
   * Applies the settings where they differ from those applied last; else what was set at run time
   * stands.
   */
  apply(settings: Pick<Schedule, "cron" | "timezone">): Promise<Schedule>;
  get(): Promise<Schedule>;
  /**
   * Changes what is given, for all instances, at once. A new cron expression or time zone counts
   * from now on; so does a schedule that is resumed without catch-up. Undefined, and nothing is
   * changed, when the version is not the one expected.
   */
  change(
    settings: ScheduleChanges,
    options?: { readonly version?: number },
  ): Promise<Schedule | undefined>;
  standing(): Promise<Standing>;
  /**
   * Makes the runs that were decided on and moves the watermark, all or nothing; false, and nothing
   * is done, when the schedule has changed or moved since `from`. A logical time that has a run
   * already keeps that one.
   */
  move(from: Standing, decision: Decision, request: ScheduledRequest): Promise<boolean>;
  /** Resolves when the schedule may have changed: told so, or after `withinMs`. */
  wait: Bell["wait"];
}

/** What each scheduled run asks for. */
interface ScheduledRequest {
  readonly results: number;
  readonly nat: readonly string[];
}

export function createSharedSchedule(sql: Sql, bell: Bell): SharedSchedule {
  return {
    apply: (settings) => asked("apply the schedule", () => apply(sql, settings)),
    get: () => asked("read the schedule", () => get(sql)),
    change: (settings, { version } = {}) =>
      asked("change the schedule", () => change(sql, settings, version)),
    standing: () => asked("read the schedule", () => standing(sql)),
    move: (from, decision, request) =>
      asked("move the schedule on", () => move(sql, from, decision, request)),
    wait: bell.wait,
  };
}

async function apply(sql: Sql, { cron, timezone }: Pick<Schedule, "cron" | "timezone">) {
  await sql`
    insert into schedule as s (cron, timezone, applied_cron, applied_timezone)
    values (${cron}, ${timezone}, ${cron}, ${timezone})
    on conflict (only_row) do update
    set cron = excluded.cron, timezone = excluded.timezone,
      applied_cron = excluded.cron, applied_timezone = excluded.timezone,
      version = s.version + 1,
      watermark = case
        when (s.cron, s.timezone) = (excluded.cron, excluded.timezone) then s.watermark
        else greatest(s.watermark, now()) end
    where (s.applied_cron, s.applied_timezone) is distinct from (excluded.cron, excluded.timezone)
    returning pg_notify('schedule', '')`;
  return await get(sql);
}

async function get(sql: Sql): Promise<Schedule> {
  const { watermark: _, now: __, active: ___, ...schedule } = await standing(sql);
  return schedule;
}

async function standing(sql: Sql): Promise<Standing> {
  const [row] = await sql<Standing[]>`
    select cron, timezone, paused, catchup, max_active_runs as "maxActiveRuns", overlap, version,
      watermark, clock_timestamp() as now,
      (select count(*) from runs
        where lane = 0 and state in ('queued', 'running')) as active
    from schedule`;
  if (row) return row;
  await makeDefault(sql);
  return await standing(sql);
}

/** For a database that nobody has applied settings to yet. */
async function makeDefault(sql: Sql): Promise<void> {
  await sql`insert into schedule default values on conflict do nothing`;
}

async function change(sql: Sql, settings: ScheduleChanges, version?: number) {
  await makeDefault(sql);
  const { cron, timezone, paused, catchup, maxActiveRuns, overlap } = settings;
  const expected = version ?? null;
  // From the row alone, so that of two changes at once the second sees what the first has made.
  const changed = await sql`
    update schedule s
    set cron = coalesce(${cron ?? null}, s.cron),
      timezone = coalesce(${timezone ?? null}, s.timezone),
      paused = coalesce(${paused ?? null}, s.paused),
      catchup = coalesce(${catchup ?? null}, s.catchup),
      max_active_runs = coalesce(${maxActiveRuns ?? null}, s.max_active_runs),
      overlap = coalesce(${overlap ?? null}, s.overlap),
      version = s.version + 1,
      watermark = case
        when coalesce(${cron ?? null}, s.cron) <> s.cron
          or coalesce(${timezone ?? null}, s.timezone) <> s.timezone
          or (s.paused and not coalesce(${paused ?? null}, s.paused)
            and not coalesce(${catchup ?? null}, s.catchup))
        then greatest(s.watermark, now()) else s.watermark end
    where ${expected}::integer is null or version = ${expected}
    returning pg_notify('schedule', '')`;
  return changed.length > 0 ? await get(sql) : undefined;
}

async function move(
  sql: Sql,
  { watermark, version }: Standing,
  decision: Decision,
  { results, nat }: ScheduledRequest,
): Promise<boolean> {
  const runs = decision.logicalTimes.map((logicalTime, at) => ({
    ...decision.traces?.[at],
    time: logicalTime,
    // The number is not known yet, and not asked for where there is a logical time.
    seed: seedOf({ id: 0, logicalTime }),
  }));
  const { skipped } = decision;
  const moved = await sql`
    with moved as (
      update schedule set watermark = ${decision.watermark.toISOString()}
      where watermark = ${watermark.toISOString()} and version = ${version}
      returning true
    ), made as (
      insert into runs (
        trigger, logical_time, seed, results, nat, traceparent, tracestate, state, error, error_chain,
        finished_at)
      select 'schedule', time, seed, ${results}, ${[...nat]}::text[],
        coalesce(traceparent, new_traceparent()), tracestate,
        ${skipped === null ? "queued" : "skipped"}, ${skipped},
        ${skipped === null ? [] : [skipped]}::text[],
        ${skipped === null ? null : sql`now()`}
      from moved, json_to_recordset(${JSON.stringify(runs)}::text::json)
        as x (time timestamptz, seed text, traceparent text, tracestate text)
      order by time
      on conflict do nothing
    )
    select pg_notify('runs', '') from moved`;
  return moved.length > 0;
}
