import type { RunLogLine } from "../domain/attempt.ts";
import type { Backfill } from "../domain/backfill.ts";
import type { Change, Changes } from "../domain/change.ts";
import type { Run } from "../domain/run.ts";
import type { Schedule } from "../domain/schedule.ts";
import { selectBackfill } from "./backfills.ts";
import type { Bell } from "./bell.ts";
import { asked, type Sql } from "./client.ts";
import { selectLines } from "./run-logs.ts";
import { selectRun } from "./runs.ts";

/** What changed, by whichever process, in order. */
export interface EventLog {
  /** The newest position; 0 when nothing has ever changed. */
  newest(): Promise<number>;
  /** Changes after a position, of at most `limit` events; of several to one thing the last one. */
  since(position: number, limit: number): Promise<Changes>;
  /** Forgets all but the newest events. */
  forget(options: { readonly keep: number }): Promise<void>;
  /** Resolves when there may be something new: told so, or after a second. */
  wait: Bell["wait"];
}

interface Row {
  readonly id: number;
  readonly type: Change["type"];
  readonly subject: number | null;
  readonly attempt: number | null;
  readonly line: number | null;
}

export function createEventLog(
  sql: Sql,
  bell: Bell,
  { schedule }: { readonly schedule: () => Promise<Schedule> },
): EventLog {
  return {
    wait: bell.wait,
    newest: () =>
      asked("read the newest event", async () => {
        const [row] = await sql<{ newest: number }[]>`
          select coalesce(max(id), 0) as newest from events`;
        return row?.newest ?? 0;
      }),
    since: (position, limit) =>
      asked("read events", async () => {
        const rows = await sql<Row[]>`
          select id, type, subject, attempt, line from events
          where id > ${position} order by id limit ${limit}`;
        return {
          changes: await changesOf(sql, lastOfEach(rows), schedule),
          position: rows.at(-1)?.id ?? position,
          more: rows.length === limit,
        };
      }),
    forget: ({ keep }) =>
      asked("forget old events", async () => {
        await sql`delete from events where id <= (select max(id) from events) - ${keep}`;
      }),
  };
}

/** In the order of their last events. */
function lastOfEach(rows: readonly Row[]): readonly Row[] {
  const last = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.type}/${row.subject}/${row.attempt}/${row.line}`;
    last.delete(key);
    last.set(key, row);
  }
  return [...last.values()];
}

/** What is gone by now is left out. */
async function changesOf(
  sql: Sql,
  rows: readonly Row[],
  schedule: () => Promise<Schedule>,
): Promise<readonly Change[]> {
  const of = (type: Change["type"]) => rows.filter((row) => row.type === type);
  const runs = await runsOf(sql, of("run"));
  const lines = await linesOf(sql, of("log"));
  const backfills = await backfillsOf(sql, of("backfill"));
  const standing = of("schedule").length > 0 ? await schedule() : undefined;
  return rows.flatMap(({ id, type, subject, attempt, line }): Change[] => {
    if (type === "schedule") return standing ? [{ id, type, data: standing }] : [];
    if (type === "run") {
      const data = runs.get(subject ?? 0);
      return data ? [{ id, type, run: data.id, data }] : [];
    }
    if (type === "backfill") {
      const data = backfills.get(subject ?? 0);
      return data ? [{ id, type, data }] : [];
    }
    const data = lines.get(`${subject}/${attempt}.${line}`);
    return data ? [{ id, type, run: data.run, data }] : [];
  });
}

async function runsOf(sql: Sql, rows: readonly Row[]): Promise<ReadonlyMap<number, Run>> {
  if (rows.length === 0) return new Map();
  const ids = rows.map(({ subject }) => subject);
  const runs = await sql<Run[]>`${selectRun(sql)} where id = any(${ids}::bigint[])`;
  return new Map(runs.map((run) => [run.id, run]));
}

async function backfillsOf(sql: Sql, rows: readonly Row[]): Promise<ReadonlyMap<number, Backfill>> {
  if (rows.length === 0) return new Map();
  const ids = rows.map(({ subject }) => subject);
  const found = await sql<Backfill[]>`
    ${selectBackfill(sql)} where b.id = any(${ids}::bigint[]) group by b.id`;
  return new Map(found.map((backfill) => [backfill.id, backfill]));
}

async function linesOf(sql: Sql, rows: readonly Row[]): Promise<ReadonlyMap<string, RunLogLine>> {
  if (rows.length === 0) return new Map();
  const lines = await sql<RunLogLine[]>`
    ${selectLines(sql)}
    where (run_id, attempt, line) in (
      select * from unnest(
        ${rows.map(({ subject }) => subject)}::bigint[],
        ${rows.map(({ attempt }) => attempt)}::integer[],
        ${rows.map(({ line }) => line)}::integer[]))`;
  return new Map(lines.map((line) => [`${line.run}/${line.id}`, line]));
}
