import type { Judged, User } from "../domain/user.ts";
import type { JudgedAgain, RejectedRow, RejectedRows } from "../flow/letters.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";

/** Rows held in memory at once. */
const pageRows = 1000;

/** The rejected rows in PostgreSQL. They are paged by number, so that no transaction stays open. */
export function createRejectedRows(sql: Sql): RejectedRows {
  return {
    list: () => list(sql),
    replay: (raws, judge, { dryRun = false } = {}) =>
      asked("judge rejected rows again", () =>
        transaction(sql, (tx) => replay(tx, raws, judge, dryRun)),
      ),
    purge: (raws) =>
      asked("purge rejected rows", async () => {
        const purged = await sql`
          update rejected_users set purged_at = now()
          where purged_at is null
            and raw_id in (select json_array_elements_text(${JSON.stringify(raws)}::text::json)::bigint)`;
        return purged.count;
      }),
    payload: (raw) =>
      asked("read a raw row", async () => {
        const [row] = await sql<{ payload: unknown }[]>`
          select payload from raw_users where id = ${raw}`;
        return row?.payload;
      }),
  };
}

async function* list(sql: Sql): AsyncGenerator<readonly RejectedRow[]> {
  for (let last = 0; ; ) {
    const page = await asked(
      "read rejected rows",
      () => sql<RejectedRow[]>`
        select j.raw_id as raw, r.run_id as run, j.stage, j.path, j.reason, j.attempts,
          (extract(epoch from j.rejected_at) * 1000)::float8 as "atMs",
          case when j.purged_at is null then 'open' else 'purged' end as state
        from rejected_users j
        join raw_users r on r.id = j.raw_id
        where j.raw_id > ${last}
        order by j.raw_id
        limit ${pageRows}`,
    );
    const end = page.at(-1);
    if (!end) return;
    last = end.raw;
    yield page;
  }
}

/** A rejected row that is judged again. */
interface Judgement {
  readonly raw: number;
  readonly run: number;
  readonly judged: Judged<User>;
}

async function replay(
  tx: Transaction,
  raws: readonly number[],
  judge: (payload: unknown) => Judged<User>,
  dryRun: boolean,
): Promise<JudgedAgain> {
  // Locked, so that of two replays at once only one has the row.
  const rows = await tx<{ raw: number; run: number; payload: unknown }[]>`
    select r.id as raw, r.run_id as run, r.payload
    from rejected_users j
    join raw_users r on r.id = j.raw_id
    where j.purged_at is null
      and j.raw_id in (select json_array_elements_text(${JSON.stringify(raws)}::text::json)::bigint)
    order by j.raw_id
    for update`;
  const all = rows.map(
    ({ raw, run, payload }): Judgement => ({ raw, run, judged: judge(payload) }),
  );
  const accepted = all.flatMap(({ raw, run, judged }) =>
    "user" in judged ? [{ raw, run, id: judged.user.id }] : [],
  );
  const refused = all.flatMap(({ raw, judged }) =>
    "user" in judged ? [] : [{ raw, ...judged.rejection }],
  );
  if (accepted.length > 0 && !dryRun) await accept(tx, accepted);
  if (refused.length > 0 && !dryRun) await refuse(tx, refused);
  return { accepted: accepted.length, refused: refused.length };
}

async function accept(
  tx: Transaction,
  rows: readonly { readonly raw: number; readonly run: number; readonly id: string }[],
): Promise<void> {
  await tx.unsafe(
    `with accepted as (
       select raw, run, id from json_to_recordset($1::text::json) as x (raw bigint, run bigint, id uuid)
     ), named as (
       update raw_users r set user_id = a.id from accepted a where r.id = a.raw
     ), cleared as (
       delete from rejected_users j using accepted a where j.raw_id = a.raw
       returning j.raw_id, j.attempts
     ), queued as (
       insert into outbox (raw_id, run_id, refusals)
       select raw, run, attempts from accepted join cleared on raw_id = raw
       on conflict do nothing
     )
     update runs set accepted = accepted + n, rejected = rejected - n
     from (select run, count(*) as n from accepted group by run) counted
     where runs.id = counted.run`,
    [JSON.stringify(rows)],
  );
  await tx`select pg_notify('outbox', '')`;
}

async function refuse(
  tx: Transaction,
  rows: readonly { readonly raw: number; readonly path: string; readonly reason: string }[],
): Promise<void> {
  await tx.unsafe(
    `update rejected_users j
     set attempts = j.attempts + 1, path = x.path, reason = x.reason, rejected_at = now()
     from json_to_recordset($1::text::json) as x (raw bigint, path text, reason text)
     where j.raw_id = x.raw`,
    [JSON.stringify(rows)],
  );
}
