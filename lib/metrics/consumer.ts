import type { VersionedUser } from "../domain/event.ts";
import type { AskedStation } from "../flow/station.ts";
import type { BatchResult } from "../flow/topic-to-sink.ts";
import { addAges } from "./ages.ts";
import { createExposition, type Exposition } from "./exposition.ts";
import { addProcessFigures, type ProcessOptions } from "./process.ts";
import { createProgressRates } from "./progress.ts";
import { createFigures, type Figures } from "./registry.ts";

/** The neighbours of `consume`, as they are asked. */
export interface WatchedNeighbours {
  /** Records that are not dealt with, by partition. */
  readonly topic: AskedStation<ReadonlyMap<number, number>>;
  readonly table: AskedStation<unknown>;
}

/** The figures of `consume`. */
export interface ConsumerMetrics extends Exposition, Disposable {
  /** From now on tells of the neighbours too. */
  watch(neighbours: WatchedNeighbours): void;
  /** To be told of each batch, with the rows that were written. */
  onBatch(batch: BatchResult, rows: readonly VersionedUser[]): void;
}

export async function openConsumerMetrics(options: ProcessOptions): Promise<ConsumerMetrics> {
  const figures = createFigures();
  let watched: WatchedNeighbours | undefined;
  let lags: ReadonlyMap<number, number> | undefined;
  addNeighbours(figures, () => ({ watched, lags }));
  const [counted, timed] = [addCounts(figures), addTimes(figures, options)];
  const ending = await addProcessFigures(figures, options);
  const refresh = async () => {
    [lags] = await Promise.all([watched?.topic.now(), watched?.table.now()]);
  };
  return {
    ...createExposition(figures, refresh, options.now),
    watch: (neighbours) => {
      watched = neighbours;
    },
    onBatch: (batch, rows) => {
      counted(batch);
      timed(batch, rows);
    },
    [Symbol.dispose]: () => ending[Symbol.dispose](),
  };
}

interface Seen {
  readonly watched: WatchedNeighbours | undefined;
  readonly lags: ReadonlyMap<number, number> | undefined;
}

function addNeighbours(figures: Figures, seen: () => Seen): void {
  const up = (name: keyof WatchedNeighbours) => {
    const known = seen().watched?.[name].health().up ?? undefined;
    return known === undefined ? undefined : Number(known);
  };
  figures.gauges(
    "pipeline_station_up",
    "Whether a station answers those who work with it: 1 or 0; left out where nobody knows",
    "station",
    () => ({ topic: up("topic"), table: up("table") }),
  );
  figures.gauges(
    "pipeline_consumer_lag_records",
    "Records on the topic that this consumer has not dealt with, of the partitions it owns",
    "partition",
    () => Object.fromEntries(seen().lags ?? []),
  );
}

function addCounts(figures: Figures) {
  const count = (name: `${string}_total`, help: string) => figures.counter(name, help);
  const read = count("pipeline_records_read_total", "Records read from the topic and dealt with");
  const rows = count("pipeline_rows_written_total", "Rows acknowledged by the table");
  const letters = count("pipeline_dead_letters_total", "Records that became dead letters");
  const size = figures.histogram("pipeline_batch_records", "Records of a batch", {
    buckets: [1, 5, 10, 25, 50, 100, 250, 500, 750, 1000],
  });
  const progress = createProgressRates();
  figures.gauge(
    "pipeline_input_rows_per_second",
    "Records read in the last 15 s, for each second: Spark's inputRowsPerSecond",
    progress.inputPerSecond,
  );
  figures.gauge(
    "pipeline_processed_rows_per_second",
    "Records read in the last 15 s, for each second of work on them: Spark's processedRowsPerSecond",
    progress.processedPerSecond,
  );
  return (batch: BatchResult) => {
    read.inc(batch.records);
    rows.inc(batch.rows);
    letters.inc(batch.deadLetters);
    size.observe(batch.records);
    const { decode, write, deadLetters } = batch.ms;
    progress.add({ records: batch.records, ms: decode + write + deadLetters });
  };
}

function addTimes(figures: Figures, { now }: Pick<ProcessOptions, "now">) {
  const duration = figures.histogram(
    "pipeline_batch_duration_seconds",
    "How long a batch took, by phase; waiting for what is down included",
    {
      labels: { phase: ["decode", "write", "dead_letters"] },
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    },
  );
  const ages = addAges(
    figures,
    "pipeline_end_to_end_latency_seconds",
    "From when a row was received from the API to when the table had it, of every row written",
  );
  let newest: number | undefined;
  figures.gauge(
    "pipeline_newest_row_timestamp_seconds",
    "When the newest row that this consumer has written was received, in seconds since 1970",
    () => newest,
  );
  figures.gauge(
    "pipeline_freshness_seconds",
    "Age of the newest row that this consumer has written",
    () => (newest === undefined ? undefined : Math.max(0, now().getTime() / 1000 - newest)),
  );
  return ({ ms, written }: BatchResult, rows: readonly VersionedUser[]) => {
    duration.observe({ phase: "decode" }, ms.decode / 1000);
    duration.observe({ phase: "write" }, ms.write / 1000);
    duration.observe({ phase: "dead_letters" }, ms.deadLetters / 1000);
    if (written === undefined) return;
    ages.observe(rows, written.atMs);
    newest = Math.max(newest ?? 0, written.newestVersion / 1e6);
  };
}
