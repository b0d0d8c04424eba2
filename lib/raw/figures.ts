import type { StationHealth } from "../domain/pipeline.ts";
import { type RunState, runStates } from "../domain/run.ts";
import type { RawFigures } from "../flow/watch-pipeline.ts";
import { asked, type Sql } from "./client.ts";
import { iso } from "./time.ts";

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
      ), good as (
        -- Pages that were kept, also those of attempts that failed or go on.
        select greatest(
          (select max(finished_at) from run_attempts where outcome = 'success'),
          (select fetched_at from raw_users order by id desc limit 1)) as at
      ), bad as (
        select finished_at as at, array_to_string(error_chain, ': ') as message from run_attempts
        where outcome = 'failed' order by finished_at desc limit 1
      ), ill as (
        select min(finished_at) as since from run_attempts, good
        where outcome = 'failed' and finished_at > coalesce(good.at, '-infinity')
      )
      select rows, rejected, pending,
        (select round(greatest(0, extract(epoch from now() - fetched_at)), 3)::float8
          from raw_users where id = oldest) as "oldestPendingSeconds",
        (select case when is_called then last_value else 0 end from raw_users_id_seq) as received,
        (select coalesce(json_object_agg(state, count), '{}')
          from (select state, count(*) from runs group by state) s) as states,
        (select json_build_object(
          'up', case when ill.since is not null then false when good.at is not null then true end,
          'since', to_char(ill.since at time zone 'utc', ${iso}),
          'lastError', (select json_build_object(
            'at', to_char(at at time zone 'utc', ${iso}), 'message', message) from bad))
          from good, ill) as source
      from pending, received`;
    if (!row) throw new Error("a query without a from clause has a row");
    const { states, received, source, ...raw } = row;
    const runs = Object.fromEntries(runStates.map((state) => [state, states[state] ?? 0]));
    return { runs: runs as Record<RunState, number>, raw, received, source };
  });
}

interface Row {
  readonly rows: number;
  readonly rejected: number;
  readonly pending: number;
  readonly oldestPendingSeconds: number | null;
  readonly received: number;
  readonly source: StationHealth;
  readonly states: Readonly<Partial<Record<RunState, number>>>;
}
