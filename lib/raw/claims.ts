import type { AttemptEnd, LogLine } from "../domain/attempt.ts";
import type { ClaimedRun, RunState } from "../domain/run.ts";
import { alerting } from "./alerts.ts";
import { asked, type Sql, type Transaction } from "./client.ts";
import { linesJson, storable } from "./run-logs.ts";

/** What a worker does with the runs it performs. */
export interface Claims {
  /**
   * Takes the next queued run that is due, or the one named, or one whose worker has been silent
   * for too long: that attempt is lost then. Begins an attempt. Of the schedule's runs no more are
   * taken than `maxActiveRuns` at once, and so of each backfill's; manual runs are not held back.
   */
  claim(worker: string, id?: number): Promise<ClaimedRun | undefined>;
  /** Says that the worker is alive. False when the run is no longer its own. */
  heartbeat(run: ClaimedRun): Promise<boolean>;
  /** True when somebody wants the run to end. */
  cancelRequested(run: ClaimedRun): Promise<boolean>;
  /** Keeps lines of the attempt's log; one that is there already stays as it is. */
  keepLines(run: Pick<ClaimedRun, "id" | "attempt">, lines: readonly LogLine[]): Promise<void>;
  /**
   * Ends the attempt and keeps the last lines of its log, all or nothing. Resolves to the state the
   * run has then: one that is to be cancelled is, unless it has succeeded. Undefined, and nothing is
   * changed, when this worker does not hold the run. Safe to repeat.
   */
  finish(
    run: ClaimedRun,
    end: AttemptEnd,
    lines?: readonly LogLine[],
  ): Promise<RunState | undefined>;
}

export interface ClaimOptions {
  /** A worker that has not said for this long that it is alive has lost its run. */
  readonly silentAfterMs?: number;
  /** Whether alerts are made of what fails and of what is well again. */
  readonly alerts?: boolean;
}

export function createClaims(
  sql: Sql,
  { silentAfterMs = 30_000, alerts = false }: ClaimOptions,
): Claims {
  return {
    claim: (worker, id) => asked("take a run", () => claim(sql, worker, silentAfterMs, id)),
    heartbeat: (run) =>
      asked("say that the run is alive", async () => {
        const held = await sql`
          update runs set heartbeat_at = now() where ${holding(sql, run)} returning id`;
        return held.length > 0;
      }),
    cancelRequested: (run) =>
      asked("look whether the run is to end", async () => {
        const wanted = await sql`
          select id from runs where ${holding(sql, run)} and cancel_requested`;
        return wanted.length > 0;
      }),
    keepLines: ({ id, attempt }, lines) =>
      asked("keep lines of a log", async () => {
        await sql`
          with noted as (
            insert into run_logs (run_id, attempt, line, at, level, message, fields)
            select ${id}, ${attempt}, l.line, l.at, l.level, l.message, l.fields
            from ${linesJson(sql, lines)}
            on conflict do nothing
          )
          select pg_notify('run_logs', '')`;
      }),
    finish: (run, end, lines = []) =>
      asked("end an attempt", () => finish(sql, run, end, { lines, alerts })),
  };
}

/** Only who holds a run in this attempt changes it. */
export function holding(sql: Sql | Transaction, run: ClaimedRun) {
  return sql`id = ${run.id} and attempt = ${run.attempt} and worker = ${run.worker} and state = 'running'`;
}

async function claim(
  sql: Sql,
  worker: string,
  silentAfterMs: number,
  id?: number,
): Promise<ClaimedRun | undefined> {
  for (let times = 0; times < mostClaims; times++) {
    try {
      return await claimOnce(sql, worker, silentAfterMs, id);
    } catch (error) {
      if (!isSlotTaken(error)) throw error;
    }
  }
  return undefined;
}

/** So often two that claim at once may want the same slot; then there is another look. */
const mostClaims = 5;

/** Of two that take runs of a lane at once, the index lets only one have a slot. */
function isSlotTaken(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, "constraint_name") === "runs_slot";
}

/**
 * Manual runs come first, then those of the schedule by their logical time, then those of backfills
 * in their order. Of the schedule and of each backfill only so many are performed at once.
 */
async function claimOnce(sql: Sql, worker: string, silentAfterMs: number, id?: number) {
  const [run] = await sql<ClaimedRun[]>`
    with active as (
      select lane, count(*) as runs from runs
      where state = 'running' and lane is not null
      group by lane
    ), free as (
      select r.id, r.state, r.attempt, r.pages, r.lane,
        coalesce(b.max_active_runs, (select max_active_runs from schedule), 16) as most
      from runs r
      left join active a on a.lane = r.lane
      left join backfills b on b.id = r.lane
      where ${id === undefined ? sql`true` : sql`r.id = ${id}`} and (
        r.state = 'queued' and coalesce(r.not_before <= now(), true) and (
          r.lane is null or coalesce(a.runs, 0) <
            coalesce(b.max_active_runs, (select max_active_runs from schedule), 16)) or
        r.state = 'running' and r.heartbeat_at < now() - ${silentAfterMs} * interval '1 millisecond')
      order by coalesce(r.lane, -1),
        extract(epoch from r.logical_time) * case b.run_order when 'newest' then -1 else 1 end,
        r.id
      limit 1
      for update of r skip locked
    ), lost as (
      update run_attempts a set outcome = 'lost', finished_at = now(), pages_to = free.pages
      from free
      where free.state = 'running' and a.run_id = free.id and a.attempt = free.attempt
    ), taken as (
      update runs set state = 'running', attempt = runs.attempt + 1, worker = ${worker},
        heartbeat_at = now(), started_at = coalesce(started_at, now()), not_before = null,
        error = null, error_chain = '{}',
        slot = case when free.state = 'running' then slot else (
          select min(each) from generate_series(1, free.most) as each
          where free.lane is not null and each not in (
            select slot from runs
            where lane = free.lane and state = 'running' and slot is not null)) end
      from free where runs.id = free.id
      returning runs.*
    ), begun as (
      insert into run_attempts (run_id, attempt, worker, pages_from)
      select id, attempt, worker, pages from taken
    )
    select id, attempt, worker, seed, results, nat, pages - pages_before as pages,
      pages_before as "pagesBefore", page_users as "pageUsers", failures, cancel_requested as "cancelRequested",
      json_build_object('traceparent', traceparent, 'tracestate', tracestate) as trace
    from taken`;
  return run;
}

async function finish(
  sql: Sql,
  run: ClaimedRun,
  end: AttemptEnd,
  { lines, alerts }: { readonly lines: readonly LogLine[]; readonly alerts: boolean },
): Promise<RunState | undefined> {
  const chain = end.outcome === "failed" ? end.errorChain.map(storable) : [];
  const again = end.outcome === "failed" ? end.again : undefined;
  const state = again || end.outcome === "released" ? "queued" : end.outcome;
  const error = chain.length > 0 ? chain.join(": ") : null;
  const [ended] = await sql<{ state: RunState }[]>`
    with held as (
      update runs set
        state = case when cancel_requested and ${state} <> 'success' then 'cancelled' else ${state} end,
        finished_at = case when ${state} <> 'queued' or cancel_requested then now() end,
        not_before = now() + ${again?.afterMs ?? null}::float8 * interval '1 millisecond',
        failures = coalesce(${again?.failures ?? null}, failures),
        error = ${error}, error_chain = ${chain}::text[]
      where ${holding(sql, run)}
      returning runs.*
    ), ended as (
      update run_attempts a
      set outcome = ${end.outcome}, error_chain = ${chain}::text[], finished_at = now(),
        pages_to = held.pages
      from held where a.run_id = held.id and a.attempt = held.attempt
    ), noted as (
      insert into run_logs (run_id, attempt, line, at, level, message, fields)
      select held.id, held.attempt, l.line, l.at, l.level, l.message, l.fields
      from held, ${linesJson(sql, lines)}
      on conflict do nothing
    )${alerts ? alerting(sql) : sql``}
    select state, pg_notify('runs', ''), pg_notify('run_logs', '')
      ${alerts ? sql`, (select count(*) from rung)` : sql``}
    from held`;
  return ended?.state;
}
