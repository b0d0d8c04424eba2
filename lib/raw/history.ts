import { type History, type HistorySpan, type Sample, sampleSeconds } from "../domain/history.ts";
import { asked, type Sql } from "./client.ts";

/** How the pipeline stood, sample by sample. */
export interface KeptHistory {
  /** Keeps a sample for the five seconds of now, unless another instance has done so. */
  add(sample: Sample): Promise<void>;
  read(span: HistorySpan): Promise<History>;
  /** Of samples older than `fineDays` one a minute stays, of those older than `days` none; 0: all. */
  thin(options: { readonly fineDays: number; readonly days: number }): Promise<void>;
}

/** Samples that are further apart tell of no rate: nobody was there to take those in between. */
const gapSeconds = 90;

export function createHistory(sql: Sql): KeptHistory {
  return {
    add: (sample) =>
      asked("keep a sample", async () => {
        const { received, written, consumed, pending, lag } = sample;
        const { batchRows, writeMs, endToEndMs } = sample;
        await sql`
          insert into samples (at, received, written, consumed, pending, lag,
            batch_rows_p50, batch_rows_p99, write_ms_p50, write_ms_p99,
            end_to_end_ms_p50, end_to_end_ms_p99)
          values (date_bin(make_interval(secs => ${sampleSeconds}), now(), 'epoch'),
            ${received}, ${written}, ${consumed}, ${pending}, ${lag},
            ${batchRows?.p50 ?? null}, ${batchRows?.p99 ?? null},
            ${writeMs?.p50 ?? null}, ${writeMs?.p99 ?? null},
            ${endToEndMs?.p50 ?? null}, ${endToEndMs?.p99 ?? null})
          on conflict (at) do nothing`;
      }),
    read: (span) => asked("read samples", () => read(sql, span)),
    thin: ({ fineDays, days }) =>
      asked("thin out samples", async () => {
        await sql`
          delete from samples s
          where at < now() - make_interval(days => ${fineDays})
            and exists (
              select from samples e where e.at >= date_trunc('minute', s.at) and e.at < s.at)`;
        if (days > 0)
          await sql`delete from samples where at < now() - make_interval(days => ${days})`;
      }),
  };
}

function stepsIn(sql: Sql, { from, to, stepSeconds }: HistorySpan) {
  return sql<Step[]>`
    with spans as (
      select at, pending, lag as behind,
        batch_rows_p50, batch_rows_p99, write_ms_p50, write_ms_p99,
        end_to_end_ms_p50, end_to_end_ms_p99,
        nullif(extract(epoch from at - lag(at) over past), 0) as seconds,
        received - lag(received) over past as received,
        written - lag(written) over past as written,
        consumed - lag(consumed) over past as consumed
      from samples
      where at >= ${from}::timestamptz - make_interval(secs => ${gapSeconds}) and at < ${to}
      window past as (order by at)
    ), steps as (
      select date_bin(make_interval(secs => ${stepSeconds}), at, ${from}) as step, *,
        seconds <= ${gapSeconds} as close
      from spans where at >= ${from}
    )
    select extract(epoch from s.step)::float8 as at,
      (${rate(sql, "received")})::float8 as raw,
      (${rate(sql, "written")})::float8 as topic,
      (${rate(sql, "consumed")})::float8 as "table",
      max(pending) as pending, max(behind) as lag,
      avg(batch_rows_p50) as "batchRows50", max(batch_rows_p99) as "batchRows99",
      avg(write_ms_p50) as "writeMs50", max(write_ms_p99) as "writeMs99",
      avg(end_to_end_ms_p50) as "endToEndMs50", max(end_to_end_ms_p99) as "endToEndMs99"
    from generate_series(${from}::timestamptz, ${to}::timestamptz - interval '1 microsecond',
      make_interval(secs => ${stepSeconds})) as s (step)
    left join steps using (step)
    group by s.step
    order by s.step`;
}

async function read(sql: Sql, span: HistorySpan): Promise<History> {
  const rows = await stepsIn(sql, span);
  const all = (name: keyof Step) => rows.map((row) => rounded(row[name]));
  const spread = (name: "batchRows" | "writeMs" | "endToEndMs") => ({
    p50: all(`${name}50`),
    p99: all(`${name}99`),
  });
  return {
    stepSeconds: span.stepSeconds,
    at: rows.map(({ at }) => at),
    rowsPerSecond: { raw: all("raw"), topic: all("topic"), table: all("table") },
    ...{ pending: all("pending"), lag: all("lag"), batchRows: spread("batchRows") },
    ...{ writeMs: spread("writeMs"), endToEndMs: spread("endToEndMs") },
  };
}

interface Step extends Readonly<Record<Measured, number | null>> {
  /** Seconds since 1970. */
  readonly at: number;
}
type Measured =
  | ("raw" | "topic" | "table" | "pending" | "lag")
  | `${"batchRows" | "writeMs" | "endToEndMs"}${50 | 99}`;

/** What shrinks was made anew: none came meanwhile, as far as is known. */
function rate(sql: Sql, more: "received" | "written" | "consumed") {
  return sql`sum(greatest(0, ${sql(more)})) filter (where close and ${sql(more)} is not null)
    / sum(seconds) filter (where close and ${sql(more)} is not null)`;
}

/** To a tenth: nobody sees more in a plot. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 10) / 10;
}
