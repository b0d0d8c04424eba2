import type { Outbox, OutboxRow, Refused } from "../flow/raw-to-topic.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";

export interface RawOutbox extends Outbox {
  /** Rows waiting for the topic: of one run, or of all. */
  waiting(run?: number): Promise<number>;
}

/**
 * The outbox in PostgreSQL. Rows are locked while they are handed over and deleted by the commit,
 * so any number of relays may take at once. Rows are found by being there, never by "id greater
 * than the last one": transactions commit in another order than their ids.
 */
export function createOutbox(sql: Sql, bell: Bell): RawOutbox {
  return {
    take: (limit, handle) =>
      asked("take from the outbox", () =>
        transaction(sql, async (tx, connected) => {
          const rows = await tx<OutboxRow[]>`
            select o.raw_id as raw, o.run_id as run, r.version, r.payload
            from (
              select raw_id, run_id from outbox order by raw_id limit ${limit} for update skip locked
            ) o
            left join raw_users r on r.id = o.raw_id
            order by o.raw_id`;
          if (rows.length === 0) return 0;
          const stillOurs = async () => {
            await connected();
            await tx`select 1`;
          };
          const refused = await handle(rows, stillOurs);
          await connected();
          if (refused.length > 0) await reject(tx, rows, refused);
          await remove(tx, rows);
          return rows.length;
        }),
      ),
    wait: bell.wait,
    waiting: (run) =>
      asked("count the outbox", async () => {
        const [row] = await sql<{ count: number }[]>`
          select count(*) from outbox where ${run === undefined ? sql`true` : sql`run_id = ${run}`}`;
        return row?.count ?? 0;
      }),
  };
}

async function remove(tx: Transaction, rows: readonly OutboxRow[]): Promise<void> {
  await tx.unsafe(
    "delete from outbox where raw_id in (select json_array_elements_text($1::text::json)::bigint)",
    [JSON.stringify(rows.map((row) => row.raw))],
  );
}

/**
 * A row refused on its way to the topic counts as rejected, as if it had been refused when fetched.
 */
async function reject(
  tx: Transaction,
  rows: readonly OutboxRow[],
  refused: readonly Refused[],
): Promise<void> {
  const rejections = refused.flatMap(({ index, rejection }) => {
    const row = rows[index];
    return row ? [{ raw: row.raw, run: row.run, ...rejection }] : [];
  });
  await tx.unsafe(
    `with refused as (
       select * from json_to_recordset($1::text::json) as x (raw bigint, run bigint, path text, reason text)
     ), kept as (
       insert into rejected_users (raw_id, stage, path, reason, attempts)
       select raw, 'publish', path, reason, refusals + 1 from refused join outbox on raw_id = raw
       on conflict (raw_id) do update
       set stage = excluded.stage, path = excluded.path, reason = excluded.reason, attempts = excluded.attempts
     )
     update runs set accepted = accepted - n, rejected = rejected + n
     from (select run, count(*) as n from refused group by run) counted
     where runs.id = counted.run`,
    [JSON.stringify(rejections)],
  );
}
