import type { TraceContext } from "../domain/trace-context.ts";
import type { Outbox, OutboxRow, Refused } from "../flow/raw-to-topic.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql, type Transaction, transaction } from "./client.ts";

export interface RawOutbox extends Outbox {
  /** Rows waiting for the topic: of one run, or of all. */
  waiting(run?: number): Promise<number>;
}

/**
 * The outbox in PostgreSQL. Rows are deleted by the transaction that hands them over, so any number
 * of relays may take at once, and for all others they are there until it commits. Rows are found by
 * being there, never by "id greater than the last one": transactions commit in another order than
 * their ids.
 */
export function createOutbox(sql: Sql, bell: Bell): RawOutbox {
  const traced = createTraces();
  return {
    take: (limit, handle) =>
      asked("take from the outbox", () =>
        transaction(sql, async (tx, connected) => {
          const rows = await tx<TakenRow[]>`
            with taken as (
              delete from outbox where ctid = any (array (
                select ctid from outbox order by run_id, raw_id limit ${limit}
                for update skip locked))
              returning raw_id, run_id, version, user_id, value, refusals
            )
            select o.raw_id as raw, o.run_id as run, coalesce(o.version, r.version) as version,
              o.user_id as key, o.value, r.payload, o.refusals
            from taken o
            left join raw_users r on r.id = case when o.value is null then o.raw_id end
            order by o.run_id, o.raw_id`;
          if (rows.length === 0) return 0;
          const stillOurs = async () => {
            await connected();
            await tx`select 1`;
          };
          const refused = await handle(await traced(tx, rows), stillOurs);
          await connected();
          if (refused.length > 0) await reject(tx, rows, refused);
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

/** With how often it was refused before. */
type TakenRow = OutboxRow & { readonly refusals: number };

/** Runs whose place in a trace is remembered, about: far more than are relayed at once. */
const mostRuns = 1000;

/**
 * Gives rows the place of their run in a trace. It never changes: so it is asked for once, and no row
 * has to carry it.
 */
function createTraces() {
  let known: ReadonlyMap<number, TraceContext> = new Map();
  return async (tx: Transaction, rows: readonly TakenRow[]): Promise<readonly OutboxRow[]> => {
    if (rows.some(({ run }) => !known.has(run))) {
      const runs = [...new Set(rows.map(({ run }) => run))];
      const found = await tx<(TraceContext & { id: number })[]>`
        select id, traceparent, tracestate from runs
        where id in (select json_array_elements_text(${JSON.stringify(runs)}::text::json)::bigint)`;
      const entries = found.map(({ id, ...trace }) => [id, trace] as const);
      known = new Map([...(known.size < mostRuns ? known : []), ...entries]);
    }
    return rows.map((row) => Object.assign(row, { trace: known.get(row.run) }));
  };
}

/**
 * A row refused on its way to the topic counts as rejected, as if it had been refused when fetched.
 */
async function reject(
  tx: Transaction,
  rows: readonly TakenRow[],
  refused: readonly Refused[],
): Promise<void> {
  const rejections = refused.flatMap(({ index, rejection }) => {
    const row = rows[index];
    return row ? [{ raw: row.raw, run: row.run, attempts: row.refusals + 1, ...rejection }] : [];
  });
  await tx.unsafe(
    `with refused as (
       select * from json_to_recordset($1::text::json)
         as x (raw bigint, run bigint, attempts integer, path text, reason text)
     ), kept as (
       insert into rejected_users (raw_id, stage, path, reason, attempts)
       select raw, 'publish', path, reason, attempts from refused
       on conflict (raw_id) do update
       set stage = excluded.stage, path = excluded.path, reason = excluded.reason, attempts = excluded.attempts
     )
     update runs set accepted = accepted - n, rejected = rejected + n
     from (select run, count(*) as n from refused group by run) counted
     where runs.id = counted.run`,
    [JSON.stringify(rejections)],
  );
}
