import { asked, type Sql, type Transaction, transaction } from "./client.ts";
import { lockKept } from "./retention.ts";

/** Which kept rows: those of a run, or those fetched from a time on, before another. */
export type Selection = { readonly run: number } | { readonly from: Date; readonly to: Date };

/** Kept rows on their way through the topic again. */
export interface KeptRows {
  /** How many rows are selected and were not rejected; and the ids between which they lie. */
  count(selection: Selection): Promise<Kept>;
  /**
   * Puts up to `limit` of them, after the id `after`, into the outbox: those that wait there already
   * stay as they are. Resolves to the last id it came to; undefined at the end.
   */
  queue(
    selection: Selection,
    part: { readonly after: number; readonly last: number; readonly limit: number },
  ): Promise<number | undefined>;
  /** Rows with ids from `first` to `last` that still wait for the topic. */
  waiting(ids: { readonly first: number; readonly last: number }): Promise<number>;
}

export interface Kept {
  readonly rows: number;
  readonly first: number;
  readonly last: number;
}

/** `patient` counts, which may take long. */
export function createKeptRows(sql: Sql, patient: Sql): KeptRows {
  return {
    count: (selection) =>
      asked("count the kept rows", async () => {
        const [row] = await patient<Kept[]>`
          select count(*) as rows, coalesce(min(id), 0) as first, coalesce(max(id), 0) as last
          from raw_users r where ${selected(patient, selection)}`;
        return row ?? { rows: 0, first: 0, last: 0 };
      }),
    queue: (selection, { after, last, limit }) =>
      asked("queue kept rows", () =>
        transaction(sql, async (tx) => {
          await lockKept(tx, "to queue");
          const [row] = await tx<{ last: number | null }[]>`
            with page as (
              select id, run_id from raw_users r
              where id > ${after} and id <= ${last} and ${selected(tx, selection)}
              order by id limit ${limit}
            ), queued as (
              insert into outbox (raw_id, run_id)
              select id, run_id from page
              on conflict do nothing
            )
            select max(id) as last from page`;
          await tx`select pg_notify('outbox', '')`;
          return row?.last ?? undefined;
        }),
      ),
    waiting: ({ first, last }) =>
      asked("count the outbox", async () => {
        const [row] = await sql<{ count: number }[]>`
          select count(*) from outbox where raw_id between ${first} and ${last}`;
        return row?.count ?? 0;
      }),
  };
}

/** Rejected rows are none that were ever accepted, or are any more. */
function selected(sql: Sql | Transaction, selection: Selection) {
  const which =
    "run" in selection
      ? sql`run_id = ${selection.run}`
      : sql`fetched_at >= ${selection.from} and fetched_at < ${selection.to}`;
  return sql`${which} and user_id is not null
    and not exists (select from rejected_users j where j.raw_id = r.id)`;
}
