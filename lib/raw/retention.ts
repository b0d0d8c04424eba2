import type { OldThings, RawPart } from "../flow/prune.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";

/** Old things in PostgreSQL; `sql` may take long. */
export function createOldThings(sql: Sql): OldThings {
  return {
    firstWaiting: () =>
      asked("look at the outbox", async () => {
        const [row] = await sql<
          { first: number | null }[]
        >`select min(raw_id) as first from outbox`;
        return row?.first ?? undefined;
      }),
    countRaw: (days, below) =>
      asked("count old raw rows", async () => {
        const [row] = await sql<{ count: number }[]>`
          select count(*) from raw_users r where id < ${below} and ${removable(sql, days)}`;
        return row?.count ?? 0;
      }),
    pruneRaw: (days, part) => asked("remove old raw rows", () => pruneRaw(sql, days, part)),
    count: (kind, days) =>
      asked(`count old ${kind}`, async () => {
        const rows = kind === "runs" ? oldRuns(sql, days) : oldLogs(sql, days);
        const [row] = await sql<{ count: number }[]>`select count(*) from (${rows}) old`;
        return row?.count ?? 0;
      }),
    prune: (kind, days, limit) =>
      asked(`remove old ${kind}`, () =>
        kind === "runs" ? pruneRuns(sql, days, limit) : pruneLogs(sql, days, limit),
      ),
  };
}

/** Whoever queues kept rows again shares this lock: none is queued and removed at once. */
export function lockKept(tx: Transaction, how: "to queue" | "to remove") {
  return how === "to queue"
    ? tx`select pg_advisory_xact_lock_shared(7305217)`
    : tx`select pg_advisory_xact_lock(7305217)`;
}

/**
 * Fetched long enough ago, at least an hour, which is longer than any transaction that fetches; not
 * waiting for the topic, and not among the rejected that may yet be sent.
 */
function removable(sql: Sql | Transaction, days: number) {
  return sql`r.fetched_at < now() - greatest(${days} * interval '1 day', interval '1 hour')
    and not exists (select from outbox o where o.run_id = r.run_id and o.raw_id = r.id)
    and not exists (select from rejected_users j where j.raw_id = r.id and j.purged_at is null)`;
}

/** Together with the bound, so that who compares sees both or none. */
function pruneRaw(sql: Sql, days: number, { after, below, limit }: RawPart) {
  return transaction(sql, async (tx) => {
    await lockKept(tx, "to remove");
    const [done] = await tx<{ rows: number; last: number | null }[]>`
      with old as materialized (
        select r.id from raw_users r
        where r.id > ${after} and r.id < ${below} and ${removable(tx, days)}
        order by r.id limit ${limit}
      ), letters as (
        delete from rejected_users j using old where j.raw_id = old.id
      ), gone as (
        delete from raw_users r using old where r.id = old.id returning r.id, r.version
      ), bound as (
        insert into retention as t (pruned_below)
        select max(version) + 1 from gone having count(*) > 0
        on conflict (only_row) do update
        set pruned_below = greatest(t.pruned_below, excluded.pruned_below)
      )
      select count(*) as rows, max(id) as last from gone`;
    return { rows: done?.rows ?? 0, last: done?.last ?? undefined };
  });
}

function oldRuns(sql: Sql, days: number) {
  return sql`
    select id from runs r
    where state not in ('queued', 'running') and finished_at < now() - ${days} * interval '1 day'
      and not exists (select from raw_users u where u.run_id = r.id)`;
}

async function pruneRuns(sql: Sql, days: number, limit: number): Promise<number> {
  const gone = await sql`
    with old as materialized (
      ${oldRuns(sql, days)} order by id limit ${limit}
    ), attempts as (
      delete from run_attempts a using old where a.run_id = old.id
    ), lines as (
      delete from run_logs l using old where l.run_id = old.id
    )
    delete from runs r using old where r.id = old.id returning r.id`;
  return gone.length;
}

function oldLogs(sql: Sql, days: number) {
  return sql`
    select l.run_id, l.attempt, l.line from run_logs l
    join runs r on r.id = l.run_id
    where r.state not in ('queued', 'running')
      and r.finished_at < now() - ${days} * interval '1 day'`;
}

async function pruneLogs(sql: Sql, days: number, limit: number): Promise<number> {
  await sql`delete from alerts where sent_at < now() - ${days} * interval '1 day'`;
  const gone = await sql`
    with old as materialized (
      ${oldLogs(sql, days)} limit ${limit}
    )
    delete from run_logs l using old
    where (l.run_id, l.attempt, l.line) = (old.run_id, old.attempt, old.line)
    returning 1`;
  return gone.length;
}
