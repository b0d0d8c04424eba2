import { type RunState, runStates } from "../domain/run.ts";
import type { RawFigures } from "../flow/watch-pipeline.ts";
import { asked, type Sql } from "./client.ts";

/** How the raw store stands: what its runs have received, and what still has to go to the topic. */
export function readFigures(sql: Sql): Promise<RawFigures> {
  return asked("count what is there", async () => {
    const [row] = await sql<Row[]>`
      with pending as (
        select count(*) as pending, min(raw_id) as oldest from outbox
      ), received as (
        select coalesce(sum(fetched), 0)::bigint as rows,
          coalesce(sum(rejected), 0)::bigint as rejected
        from runs
      )
      select rows, rejected, pending,
        (select round(greatest(0, extract(epoch from now() - fetched_at)), 3)::float8
          from raw_users where id = oldest) as "oldestPendingSeconds",
        (select case when is_called then last_value else 0 end from raw_users_id_seq) as received,
        (select coalesce(json_object_agg(state, count), '{}')
          from (select state, count(*) from runs group by state) s) as states
      from pending, received`;
    if (!row) throw new Error("a query without a from clause has a row");
    const { states, received, ...raw } = row;
    const runs = Object.fromEntries(runStates.map((state) => [state, states[state] ?? 0]));
    return { runs: runs as Record<RunState, number>, raw, received };
  });
}

interface Row {
  readonly rows: number;
  readonly rejected: number;
  readonly pending: number;
  readonly oldestPendingSeconds: number | null;
  readonly received: number;
  readonly states: Readonly<Partial<Record<RunState, number>>>;
}
