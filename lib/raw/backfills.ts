import type { Backfill, BackfillRequest, BackfillRun } from "../domain/backfill.ts";
import { reprocessed } from "../domain/backfill.ts";
import { type Run, seedOf } from "../domain/run.ts";
import { PipelineError } from "../errors.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";
import { queuedAgain } from "./runs.ts";
import { iso } from "./time.ts";

/** Backfills and the runs they have made or begun again. */
export interface Backfills {
  /** The runs whose logical times lie in the range: `from` on, and before `to`. */
  runsBetween(
    range: Pick<BackfillRequest, "from" | "to">,
  ): Promise<readonly Pick<Run, "id" | "state" | "logicalTime">[]>;
  /** The backfill that was made for this request, with its runs as they are now. */
  earlier(
    requestId: string,
  ): Promise<{ readonly backfill: Backfill; readonly runs: readonly BackfillRun[] } | undefined>;
  /**
   * Makes these runs or begins them again, as far as they still are as they were listed, all or
   * nothing. Asked again with the same request id it gives the same backfill.
   */
  create(request: BackfillRequest, runs: readonly BackfillRun[]): Promise<Backfill>;
  /**
   * Ends a backfill: its runs that wait are cancelled, and with `running` also those that are
   * performed, within a second or two. Undefined when there is none.
   */
  cancel(id: number, options?: { readonly running?: boolean }): Promise<Backfill | undefined>;
  get(id: number): Promise<Backfill | undefined>;
  /** The newest backfills first, older than `before` if given. */
  list(options: { readonly limit: number; readonly before?: number }): Promise<readonly Backfill[]>;
}

export function createBackfills(sql: Sql): Backfills {
  return {
    runsBetween: ({ from, to }) =>
      asked("look up the runs of a range", () => {
        return sql<Pick<Run, "id" | "state" | "logicalTime">[]>`
          select id, state, to_char(logical_time at time zone 'UTC', ${iso}) as "logicalTime"
          from runs
          where logical_time >= ${from.toISOString()} and logical_time < ${to.toISOString()}`;
      }),
    earlier: (requestId) => asked("look up a backfill", () => earlier(sql, requestId)),
    create: (request, runs) => asked("make a backfill", () => create(sql, request, runs)),
    cancel: (id, { running = false } = {}) =>
      asked("cancel a backfill", async () => {
        await cancel(sql, id, running);
        const found = await get(sql, id);
        if (found?.state !== "done") return found;
        throw new PipelineError("refused", `backfill ${id} is done: none of its runs waits`);
      }),
    get: (id) => asked("look up a backfill", () => get(sql, id)),
    list: ({ limit, before }) =>
      asked("list the backfills", () => {
        const older = before === undefined ? sql`true` : sql`b.id < ${before}`;
        return sql<Backfill[]>`
          ${selectBackfill(sql)} where ${older} group by b.id order by b.id desc limit ${limit}`;
      }),
  };
}

async function earlier(sql: Sql, requestId: string) {
  const [row] = await sql<{ id: number; newest: boolean }[]>`
    select id, run_order = 'newest' as newest from backfills where request_id = ${requestId}`;
  const backfill = row && (await get(sql, row.id));
  if (!backfill) return undefined;
  const runs = await sql<BackfillRun[]>`
    select to_char(logical_time at time zone 'UTC', ${iso}) as "logicalTime", id, state
    from runs where backfill_id = ${row.id}
    order by logical_time`;
  return { backfill, runs: row.newest ? runs.toReversed() : [...runs] };
}

async function create(sql: Sql, request: BackfillRequest, runs: readonly BackfillRun[]) {
  const { from, to, reprocess, order, maxActiveRuns } = request;
  const { requestId = crypto.randomUUID() } = request;
  await transaction(sql, async (tx) => {
    const [made] = await tx<{ id: number }[]>`
      insert into backfills (request_id, from_time, to_time, reprocess, run_order, max_active_runs)
      values (${requestId}, ${from.toISOString()}, ${to.toISOString()}, ${reprocess}, ${order},
        ${maxActiveRuns})
      on conflict do nothing
      returning id`;
    if (!made) return;
    const count =
      (await beginAgain(tx, made.id, request, runs)) + (await make(tx, made.id, request, runs));
    await tx`update backfills set runs = ${count} where id = ${made.id}`;
    await tx`select pg_notify('runs', '')`;
  });
  const [row] = await sql<
    { id: number }[]
  >`select id from backfills where request_id = ${requestId}`;
  const backfill = row && (await get(sql, row.id));
  if (!backfill) throw new PipelineError("unavailable", "the backfill just made is gone");
  return backfill;
}

/** Runs that are there: a run counts in the backfill that had it what had become of it. */
async function beginAgain(
  tx: Transaction,
  backfill: number,
  { reprocess }: BackfillRequest,
  runs: readonly BackfillRun[],
): Promise<number> {
  const ids = JSON.stringify(runs.flatMap(({ id }) => (id === null ? [] : [id])));
  const states = [...reprocessed(reprocess)];
  // Locked in an order, so that two backfills of the same range do not wait for each other.
  const taken = await tx<{ id: number }[]>`
    select id from runs
    where id in (select json_array_elements_text(${ids}::text::json)::bigint)
      and state = any(${states}::text[])
    order by id
    for update`;
  const locked = JSON.stringify(taken.map(({ id }) => id));
  await tx`
    update backfills b
    set past_success = past_success + success, past_failed = past_failed + failed,
      past_cancelled = past_cancelled + cancelled, past_skipped = past_skipped + skipped
    from (
      select backfill_id, count(*) filter (where state = 'success') as success,
        count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state = 'cancelled') as cancelled,
        count(*) filter (where state = 'skipped') as skipped
      from runs
      where id in (select json_array_elements_text(${locked}::text::json)::bigint)
      group by backfill_id
    ) r
    where b.id = r.backfill_id`;
  await tx`
    update runs set ${queuedAgain(tx, { fromStart: reprocess === "completed" })},
      backfill_id = ${backfill}
    where id in (select json_array_elements_text(${locked}::text::json)::bigint)`;
  return taken.length;
}

async function make(
  tx: Transaction,
  backfill: number,
  { results, nat, trace }: BackfillRequest,
  runs: readonly BackfillRun[],
): Promise<number> {
  const fresh = runs.filter(({ id }) => id === null);
  const times = fresh.map(({ logicalTime }) => ({
    time: logicalTime,
    // The number is not known yet, and not asked for where there is a logical time.
    seed: seedOf({ id: 0, logicalTime: new Date(logicalTime) }),
  }));
  const made = await tx`
    insert into runs (
      trigger, logical_time, seed, results, nat, backfill_id, traceparent, tracestate)
    select 'backfill', time, seed, ${results}, ${[...nat]}::text[], ${backfill},
      coalesce(${trace?.traceparent ?? null}::text, (select new_traceparent())), ${trace?.tracestate ?? null}::text
    from json_to_recordset(${JSON.stringify(times)}::text::json) as x (time timestamptz, seed text)
    on conflict do nothing`;
  return made.count;
}

async function cancel(sql: Sql, id: number, running: boolean): Promise<void> {
  await sql`
    with cancelled as (
      update backfills b set cancelled_at = coalesce(cancelled_at, now())
      where id = ${id} and (cancelled_at is not null or exists (
        select from runs r where r.backfill_id = b.id and r.state in ('queued', 'running')))
      returning id
    ), waiting as (
      update runs set state = 'cancelled', cancel_requested = true, finished_at = now(),
        not_before = null
      from cancelled where backfill_id = cancelled.id and state = 'queued'
    ), performed as (
      update runs set cancel_requested = true
      from cancelled where backfill_id = cancelled.id and state = 'running' and ${running}
    )
    select pg_notify('runs', '') from cancelled`;
}

async function get(sql: Sql, id: number): Promise<Backfill | undefined> {
  const [row] = await sql<Backfill[]>`${selectBackfill(sql)} where b.id = ${id} group by b.id`;
  return row;
}

export function selectBackfill(sql: Sql) {
  const count = (state: string) => sql`count(*) filter (where r.state = ${state})`;
  return sql`
    select b.id, to_char(from_time at time zone 'UTC', ${iso}) as "from",
      to_char(to_time at time zone 'UTC', ${iso}) as "to", reprocess, run_order as "order",
      max_active_runs as "maxActiveRuns", b.runs,
      case when cancelled_at is not null then 'cancelled'
        when count(*) filter (where r.state in ('queued', 'running')) > 0 then 'running'
        else 'done' end as state,
      json_build_object('queued', ${count("queued")}, 'running', ${count("running")},
        'success', past_success + ${count("success")}, 'failed', past_failed + ${count("failed")},
        'cancelled', past_cancelled + ${count("cancelled")},
        'skipped', past_skipped + ${count("skipped")}) as states,
      to_char(b.created_at at time zone 'UTC', ${iso}) as "createdAt",
      to_char(cancelled_at at time zone 'UTC', ${iso}) as "cancelledAt"
    from backfills b left join runs r on r.backfill_id = b.id`;
}
