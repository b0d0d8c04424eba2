import {
  type ClaimedRun,
  type Run,
  type RunFilter,
  type RunRequest,
  seedOf,
} from "../domain/run.ts";
import { PipelineError } from "../errors.ts";
import type { RunStore } from "../flow/perform-runs.ts";
import type { JudgedPage } from "../flow/source-to-raw.ts";
import type { Bell } from "./bell.ts";
import { type ClaimOptions, createClaims, holding } from "./claims.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";
import { iso } from "./time.ts";

/** Runs and their pages. Pages are committed by the worker that holds the run, and by no other. */
export interface Runs extends RunStore {
  /** Queues a run. A logical time that has a run already gives that run, unchanged. */
  create(request: RunRequest): Promise<Run>;
  /**
   * Puts a run that has ended back into the queue: it goes on after its last committed page, or from
   * the start with the same users as before. Rejects with `refused` when it has not ended, or has
   * succeeded and is not to start anew; undefined when there is none.
   */
  retry(id: number, options?: { readonly fromStart?: boolean }): Promise<Run | undefined>;
  /**
   * Ends a run: at once while it waits, within a second or two where somebody performs it. One that
   * was asked to end stays so; rejects with `refused` when it has ended otherwise; undefined when
   * there is none.
   */
  cancel(id: number): Promise<Run | undefined>;
  get(id: number): Promise<Run | undefined>;
  /** The newest runs first, those that pass the filter. */
  list(filter: RunFilter): Promise<readonly Run[]>;
}

export function createRuns(sql: Sql, bell: Bell, options: ClaimOptions = {}): Runs {
  return {
    ...createClaims(sql, options),
    wait: bell.wait,
    create: (request) => asked("queue a run", () => create(sql, request)),
    retry: (id, { fromStart = false } = {}) =>
      asked("try a run again", () => retryRun(sql, id, fromStart)),
    cancel: (id) => asked("cancel a run", () => cancelRun(sql, id)),
    get: (id) => asked("look up a run", () => get(sql, id)),
    list: (filter) => asked("list the runs", () => list(sql, filter)),
    commitPage: (run, page) => asked("keep a page", () => commitPage(sql, run, page)),
  };
}

async function create(sql: Sql, request: RunRequest) {
  const { trigger, logicalTime, results, nat, seed, requestId = crypto.randomUUID() } = request;
  const { traceparent = null, tracestate = null } = request.trace ?? {};
  const time = logicalTime?.toISOString() ?? null;
  const id = await transaction(sql, async (tx) => {
    const [made] = await tx<{ id: number }[]>`
      insert into runs (
        request_id, trigger, logical_time, seed, results, nat, traceparent, tracestate)
      values (${requestId}, ${trigger}, ${time}, ${seed ?? ""}, ${results}, ${[...nat]}::text[],
        coalesce(${traceparent}, new_traceparent()), ${tracestate})
      on conflict do nothing
      returning id`;
    if (!made) return undefined;
    const chosen = seed ?? seedOf(logicalTime ? { id: made.id, logicalTime } : { id: made.id });
    await tx`update runs set seed = ${chosen} where id = ${made.id}`;
    await tx`select pg_notify('runs', '')`;
    return made.id;
  });
  const made =
    id === undefined ? sql`request_id = ${requestId} or logical_time = ${time}` : sql`id = ${id}`;
  const [run] = await sql<Run[]>`${selectRun(sql)} where ${made}`;
  if (!run) throw new PipelineError("unavailable", "the run just queued is gone");
  return run;
}

async function get(sql: Sql, id: number): Promise<Run | undefined> {
  const [row] = await sql<Run[]>`${selectRun(sql)} where id = ${id}`;
  return row;
}

async function list(sql: Sql, { limit, before, states, triggers, from, to }: RunFilter) {
  const all = sql`true`;
  const time = sql`coalesce(logical_time, created_at)`;
  return await sql<Run[]>`
    ${selectRun(sql)}
    where ${before === undefined ? all : sql`id < ${before}`}
      and ${states ? sql`state = any(${[...states]}::text[])` : all}
      and ${triggers ? sql`trigger = any(${[...triggers]}::text[])` : all}
      and ${from ? sql`${time} >= ${from.toISOString()}` : all}
      and ${to ? sql`${time} < ${to.toISOString()}` : all}
    order by id desc limit ${limit}`;
}

async function retryRun(sql: Sql, id: number, fromStart: boolean): Promise<Run | undefined> {
  const ended = ["failed", "cancelled", "skipped", ...(fromStart ? ["success"] : [])];
  const queued = await sql`
    update runs set ${queuedAgain(sql, { fromStart })}
    where id = ${id} and state = any(${ended}::text[])
    returning pg_notify('runs', '')`;
  const run = await get(sql, id);
  if (run && queued.length === 0) {
    const hint = run.state === "success" ? "only from the start is it tried again" : "not ended";
    throw new PipelineError("refused", `run ${id} is ${run.state}: ${hint}`);
  }
  return run;
}

/** What an ended run is that waits to be performed once more. */
export function queuedAgain(
  sql: Sql | Transaction,
  { fromStart }: { readonly fromStart: boolean },
) {
  const anew = fromStart
    ? sql`, pages_before = pages, fetched = 0, accepted = 0, rejected = 0`
    : sql``;
  return sql`state = 'queued', worker = null, heartbeat_at = null, started_at = null,
    finished_at = null, not_before = null, failures = 0, cancel_requested = false,
    error = null, error_chain = '{}' ${anew}`;
}

async function cancelRun(sql: Sql, id: number): Promise<Run | undefined> {
  const cancelled = await sql`
    update runs set cancel_requested = true,
      finished_at = case when state = 'queued' then now() end,
      not_before = null,
      state = case when state = 'queued' then 'cancelled' else state end
    where id = ${id} and state in ('queued', 'running')
    returning pg_notify('runs', '')`;
  const run = await get(sql, id);
  if (run && cancelled.length === 0 && run.state !== "cancelled") {
    throw new PipelineError("refused", `run ${id} is ${run.state}: it has ended`);
  }
  return run;
}

/** Between texts in one: JSON has it in no text, neither as it is nor as blank space. */
const separator = "\x1e";

/** One statement: the next page can be read while the server works, and no answer is waited for twice. */
async function commitPage(sql: Sql, run: ClaimedRun, page: JudgedPage): Promise<void> {
  const { payloads, users } = page;
  if (payloads.length !== users.length) {
    const what = `${payloads.length} texts of ${users.length} users`;
    throw new PipelineError("refused", `page ${page.page} has ${what}`);
  }
  const rejected = users.flatMap((user, position) =>
    "rejection" in user ? [{ position, ...user.rejection }] : [],
  );
  const ids = users.map((user) => ("id" in user ? user.id : ""));
  const values = users.map((user) => ("id" in user ? user.value : undefined) ?? "");
  const kept = await sql`
    with held as (
      update runs set pages = ${page.page}, heartbeat_at = now(), fetched = fetched + ${users.length},
        accepted = accepted + ${users.length - rejected.length}, rejected = rejected + ${rejected.length}
      where ${holding(sql, run)} and pages = ${page.page - 1}
      returning (extract(epoch from clock_timestamp()) * 1000000)::bigint as at
    ), received as (
      insert into raw_users (run_id, page, position, version, user_id, payload)
      select ${run.id}, ${page.page}, n - 1, at + n - 1, id::uuid, payload::json
      from held,
        rows from (
          string_to_table(${payloads.join(separator)}, ${separator}),
          string_to_table(${ids.join(separator)}, ${separator}, '')
        ) with ordinality as p (payload, id, n)
      returning id, position, version, user_id
    ), queued as (
      insert into outbox (raw_id, run_id, version, user_id, value)
      select id, ${run.id}, version, user_id, value
      from received
        left join string_to_table(${values.join(separator)}, ${separator}, '')
          with ordinality as v (value, n) on n = position + 1
      where user_id is not null
    ), refused as (
      insert into rejected_users (raw_id, stage, path, reason)
      select id, 'fetch', path, reason
      from received
      join json_to_recordset(${JSON.stringify(rejected)}::text::json)
        as r (position integer, path text, reason text) using (position)
    )
    select pg_notify('outbox', '') from held`;
  if (kept.length > 0) return;
  const [done] =
    await sql`select id from runs where ${holding(sql, run)} and pages >= ${page.page}`;
  if (!done) {
    throw new PipelineError("fenced", `run ${run.id}, attempt ${run.attempt} is held by another`);
  }
}

/**
 * Published is what was accepted and no longer waits: counted, so that publishing need not touch
 * the run.
 */
export function selectRun(sql: Sql) {
  return sql`
    select id, trigger, to_char(logical_time at time zone 'UTC', ${iso}) as "logicalTime", state, attempt,
      seed, results, nat, pages - pages_before as pages, fetched, accepted, rejected,
      greatest(0, accepted - (select count(*) from outbox where run_id = runs.id)) as published,
      error, error_chain as "errorChain", cancel_requested as "cancelRequested", worker,
      to_char(not_before at time zone 'UTC', ${iso}) as "notBefore",
      to_char(heartbeat_at at time zone 'UTC', ${iso}) as "heartbeatAt",
      to_char(created_at at time zone 'UTC', ${iso}) as "createdAt",
      to_char(started_at at time zone 'UTC', ${iso}) as "startedAt",
      to_char(finished_at at time zone 'UTC', ${iso}) as "finishedAt",
      round(extract(epoch from coalesce(finished_at, now()) - started_at), 3)::float8 as seconds,
      substr(traceparent, 4, 32) as "traceId"
    from runs`;
}
