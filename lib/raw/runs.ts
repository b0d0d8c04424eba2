import {
  type ClaimedRun,
  type Run,
  type RunFilter,
  type RunRequest,
  type RunState,
  seedOf,
} from "../domain/run.ts";
import { PipelineError } from "../errors.ts";
import type { RunStore } from "../flow/perform-runs.ts";
import type { JudgedPage } from "../flow/source-to-raw.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";

/** Runs and their pages. Pages are committed by the worker that holds the run, and by no other. */
export interface Runs extends RunStore {
  /** Queues a run. A logical time that has a run already gives that run, unchanged. */
  create(request: RunRequest): Promise<Run>;
  /**
   * Takes the oldest queued run, or the one named, or one whose worker has been silent for too
   * long.
   */
  claim(worker: string, id?: number): Promise<ClaimedRun | undefined>;
  /** Says that the worker is alive. False when the run is no longer its own. */
  heartbeat(run: ClaimedRun): Promise<boolean>;
  /** Ends a run that this worker holds; does nothing when it no longer does. */
  finish(run: ClaimedRun, state: RunState, error?: string): Promise<void>;
  /** Puts a run back into the queue, its committed pages kept; for a worker that must stop. */
  release(run: ClaimedRun): Promise<void>;
  /**
   * Puts a failed run back into the queue: it goes on after its last committed page. Rejects with
   * `refused` when it has not failed; undefined when there is none.
   */
  retry(id: number): Promise<Run | undefined>;
  get(id: number): Promise<Run | undefined>;
  /** The newest runs first, those that pass the filter. */
  list(filter: RunFilter): Promise<readonly Run[]>;
}

/** A worker that has not said for this long that it is alive has lost its run. */
const silentAfterMs = 30_000;

export interface RunsOptions {
  readonly silentAfterMs?: number;
}

export function createRuns(sql: Sql, bell: Bell, options: RunsOptions = {}): Runs {
  const silenceMs = options.silentAfterMs ?? silentAfterMs;
  return {
    wait: bell.wait,
    create: (request) => asked("queue a run", () => create(sql, request)),
    claim: (worker, id) => asked("take a run", () => claim(sql, worker, silenceMs, id)),
    heartbeat: (run) =>
      asked("say that the run is alive", async () => {
        const held = await sql`
          update runs set heartbeat_at = now() where ${holding(sql, run)} returning id`;
        return held.length > 0;
      }),
    finish: (run, state, error) =>
      asked("end a run", async () => {
        // Text in PostgreSQL holds no NUL; an error may quote any answer.
        const text = error?.replaceAll("\0", "\\0") ?? null;
        await sql`
          update runs set state = ${state}, error = ${text}, finished_at = now()
          where ${holding(sql, run)}`;
      }),
    release: (run) =>
      asked("give a run back", async () => {
        await sql`update runs set state = 'queued', worker = null where ${holding(sql, run)}`;
      }),
    retry: (id) => asked("try a run again", () => retryRun(sql, id)),
    get: (id) => asked("look up a run", () => get(sql, id)),
    list: (filter) => asked("list the runs", () => list(sql, filter)),
    commitPage: (run, page) => asked("keep a page", () => commitPage(sql, run, page)),
  };
}

async function create(sql: Sql, request: RunRequest) {
  const { trigger, logicalTime, results, nat, seed, requestId = crypto.randomUUID() } = request;
  const time = logicalTime?.toISOString() ?? null;
  const id = await transaction(sql, async (tx) => {
    const [made] = await tx<{ id: number }[]>`
      insert into runs (request_id, trigger, logical_time, seed, results, nat)
      values (${requestId}, ${trigger}, ${time}, ${seed ?? ""}, ${results}, ${[...nat]}::text[])
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

async function retryRun(sql: Sql, id: number): Promise<Run | undefined> {
  const queued = await sql`
    update runs set state = 'queued', worker = null, error = null, finished_at = null
    where id = ${id} and state = 'failed'
    returning pg_notify('runs', '')`;
  const run = await get(sql, id);
  if (run && queued.length === 0) {
    throw new PipelineError(
      "refused",
      `run ${id} is ${run.state}: only a failed one is tried again`,
    );
  }
  return run;
}

async function claim(
  sql: Sql,
  worker: string,
  silenceMs: number,
  id?: number,
): Promise<ClaimedRun | undefined> {
  const [run] = await sql<ClaimedRun[]>`
    update runs set state = 'running', attempt = attempt + 1, worker = ${worker},
      heartbeat_at = now(), started_at = coalesce(started_at, now())
    where id = (
      select id from runs
      where ${id === undefined ? sql`true` : sql`id = ${id}`} and (
        state = 'queued' or
        state = 'running' and heartbeat_at < now() - ${silenceMs} * interval '1 millisecond')
      order by id limit 1
      for update skip locked)
    returning id, attempt, worker, seed, results, nat, pages`;
  return run;
}

async function commitPage(sql: Sql, run: ClaimedRun, page: JudgedPage): Promise<void> {
  const rejected = page.users.flatMap((user, position) =>
    "rejection" in user ? [{ position, ...user.rejection }] : [],
  );
  const ids = page.users.map((user) => ("id" in user ? user.id : null));
  await transaction(sql, async (tx) => {
    const [held] = await tx`
      update runs set pages = ${page.page}, heartbeat_at = now(), fetched = fetched + ${ids.length},
        accepted = accepted + ${ids.length - rejected.length}, rejected = rejected + ${rejected.length}
      where ${holding(tx, run)} and pages = ${page.page - 1}
      returning id`;
    if (!held) {
      const [done] = await tx`
        select id from runs where ${holding(tx, run)} and pages >= ${page.page}`;
      if (done) return;
      throw new PipelineError("fenced", `run ${run.id}, attempt ${run.attempt} is held by another`);
    }
    const [kept] = await tx<{ count: number }[]>`
      with page as materialized (
        select (extract(epoch from clock_timestamp()) * 1000000)::bigint as at
      ), received as (
        insert into raw_users (run_id, page, position, version, user_id, payload)
        select ${run.id}, ${page.page}, n - 1, at + n - 1, id::uuid, payload
        from page,
          json_array_elements(${page.payloads}::text::json) with ordinality as p (payload, n)
          join json_array_elements_text(${JSON.stringify(ids)}::text::json)
            with ordinality as i (id, n) using (n)
        returning id, position, user_id
      ), queued as (
        insert into outbox (raw_id, run_id)
        select id, ${run.id} from received where user_id is not null
      ), refused as (
        insert into rejected_users (raw_id, stage, path, reason)
        select id, 'fetch', path, reason
        from received
        join json_to_recordset(${JSON.stringify(rejected)}::text::json)
          as r (position integer, path text, reason text) using (position)
      )
      select count(*) from received`;
    if (kept?.count !== ids.length) {
      throw new PipelineError("refused", `page ${page.page}: ${kept?.count} of ${ids.length} kept`);
    }
    await tx`select pg_notify('outbox', '')`;
  });
}

function holding(sql: Sql | Transaction, run: ClaimedRun) {
  return sql`id = ${run.id} and attempt = ${run.attempt} and worker = ${run.worker} and state = 'running'`;
}

/**
 * Published is what was accepted and no longer waits: counted, so that publishing need not touch
 * the run.
 */
function selectRun(sql: Sql) {
  return sql`
    select id, trigger, to_char(logical_time at time zone 'UTC', ${iso}) as "logicalTime", state, attempt,
      seed, results, nat, pages, fetched, accepted, rejected,
      accepted - (select count(*) from outbox where run_id = runs.id) as published, error,
      to_char(created_at at time zone 'UTC', ${iso}) as "createdAt",
      to_char(started_at at time zone 'UTC', ${iso}) as "startedAt",
      to_char(finished_at at time zone 'UTC', ${iso}) as "finishedAt",
      round(extract(epoch from coalesce(finished_at, now()) - started_at), 3)::float8 as seconds
    from runs`;
}

const iso = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"';
