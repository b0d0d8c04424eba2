import { asked, type Sql } from "./client.ts";
import { iso } from "./time.ts";

/** A row that was received. */
export interface ReceivedUser {
  readonly id: string;
  readonly run: number;
  /** ISO 8601, UTC. */
  readonly receivedAt: string;
}

/** So many rows are looked at, from the newest on: those that wait may be many more. */
const mostRows = 100_000;

/** Users received last, the newest first, each once; with `until` only those of then and before. */
export function latestReceived(
  sql: Sql,
  { limit, until }: { readonly limit: number; readonly until?: Date | undefined },
): Promise<readonly ReceivedUser[]> {
  // Versions are the microseconds of when rows were kept, one more for each row of a page.
  const below = until ? (until.getTime() + 1) * 1000 : null;
  return asked("look for the newest rows", async () => {
    const rows = await sql<ReceivedUser[]>`
      select r.user_id as id, r.run_id as run,
        to_char(r.fetched_at at time zone 'utc', ${iso}) as "receivedAt"
      from raw_users r
      where r.id > (select max(id) from raw_users) - ${mostRows}::bigint
        and r.user_id is not null
        and (${below}::bigint is null or r.version < ${below})
      order by r.id desc
      limit ${limit}`;
    const first = new Map<string, ReceivedUser>();
    for (const row of rows) if (!first.has(row.id)) first.set(row.id, row);
    return [...first.values()];
  });
}
