import type { LogLine, LogPlace, RunAttempt, RunLogLine } from "../domain/attempt.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql } from "./client.ts";
import { iso } from "./time.ts";

/** What became of the attempts of runs, and what they tell, live. */
export interface RunLogs {
  /** The first lines after a place, in their order; of one attempt, or of all. */
  read(
    run: number,
    options: { readonly attempt?: number; readonly after?: LogPlace; readonly limit: number },
  ): Promise<readonly RunLogLine[]>;
  /** Resolves when there may be new lines of any run: told so, or after a second. */
  wait(signal: AbortSignal): Promise<void>;
  /** The attempts of a run, the first one first. */
  attempts(run: number): Promise<readonly RunAttempt[]>;
}

export function createRunLogs(sql: Sql, bell: Bell): RunLogs {
  return {
    wait: bell.wait,
    read: (run, { attempt, after = { attempt: 0, line: 0 }, limit }) =>
      asked("read a log", async () => [
        ...(await sql<RunLogLine[]>`
          ${selectLines(sql)}
          where run_id = ${run} and (attempt, line) > (${after.attempt}, ${after.line})
            and ${attempt === undefined ? sql`true` : sql`attempt = ${attempt}`}
          order by attempt, line
          limit ${limit}`),
      ]),
    attempts: (run) =>
      asked("read the attempts", async () => [
        ...(await sql<RunAttempt[]>`
          select a.run_id as run, a.attempt, a.worker, coalesce(a.outcome, 'running') as outcome,
            nullif(array_to_string(a.error_chain, ': '), '') as error, a.error_chain as "errorChain",
            coalesce(a.pages_to, r.pages) - a.pages_from as pages,
            to_char(a.started_at at time zone 'UTC', ${iso}) as "startedAt",
            to_char(a.finished_at at time zone 'UTC', ${iso}) as "finishedAt",
            round(extract(epoch from coalesce(a.finished_at, now()) - a.started_at), 3)::float8 as seconds
          from run_attempts a join runs r on r.id = a.run_id
          where a.run_id = ${run}
          order by a.attempt`),
      ]),
  };
}

export function selectLines(sql: Sql) {
  return sql`
    select attempt || '.' || line as id, run_id as run, attempt, line,
      to_char(at at time zone 'UTC', ${iso}) as at, level, message, fields
    from run_logs`;
}

/** Text in PostgreSQL holds neither NUL nor halves of pairs; a log may quote any answer. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\\0").toWellFormed();
}

/** Lines as rows `l` of a query. */
export function linesJson(sql: Sql, lines: readonly LogLine[]) {
  const json = JSON.stringify(lines, (_, value) =>
    typeof value === "string" ? storable(value) : value,
  );
  return sql`json_to_recordset(${json}::text::json)
    as l (line integer, at timestamptz, level text, message text, fields json)`;
}
