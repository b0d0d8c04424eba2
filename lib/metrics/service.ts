import type { PartitionStanding, Pipeline, Station } from "../domain/pipeline.ts";
import { stations } from "../domain/pipeline.ts";
import type { EndedAttempt } from "../flow/perform-runs.ts";
import type { RelayResult } from "../flow/raw-to-topic.ts";
import type { PageResult } from "../flow/source-to-raw.ts";
import { createExposition, type Exposition } from "./exposition.ts";
import { addProcessFigures, type ProcessOptions } from "./process.ts";
import { createFigures, type Figures, type Values } from "./registry.ts";

/** Where it is asked how all stations stand; it knows itself how long an answer is good for. */
export interface WatchedPipeline {
  now(): Promise<Pipeline>;
  /** As the last answer found them. */
  partitions(): readonly PartitionStanding[] | null;
}

/** The figures of `ingest`. */
export interface ServiceMetrics extends Exposition, Disposable {
  /** From now on tells of the stations too. */
  watch(pipeline: WatchedPipeline): void;
  /** What is told as it happens. */
  readonly told: {
    onCall(call: { readonly status: number | string; readonly ms: number }): void;
    onPage(page: PageResult): void;
    onAttempt(attempt: EndedAttempt): void;
    onRelayed(batch: RelayResult): void;
  };
}

export async function openServiceMetrics(options: ProcessOptions): Promise<ServiceMetrics> {
  const figures = createFigures();
  let watched: WatchedPipeline | undefined;
  let seen: Seen = {};
  addStations(figures, () => seen);
  addTopic(figures, () => seen);
  const told = { ...addRuns(figures), ...addRelay(figures) };
  const ending = await addProcessFigures(figures, options);
  const refresh = async () => {
    const pipeline = await watched?.now();
    seen = { pipeline, partitions: watched?.partitions() ?? undefined };
  };
  return {
    ...createExposition(figures, refresh, options.now),
    told,
    watch: (pipeline) => {
      watched = pipeline;
    },
    [Symbol.dispose]: () => ending[Symbol.dispose](),
  };
}

/** How things stood when they were last asked; nothing is known before that. */
interface Seen {
  readonly pipeline?: Pipeline | undefined;
  readonly partitions?: readonly PartitionStanding[] | undefined;
}

function addStations(figures: Figures, seen: () => Seen): void {
  const standing = () => seen().pipeline;
  figures.gauges(
    "pipeline_station_up",
    "Whether a station answers those who work with it: 1 or 0; left out where nobody knows",
    "station",
    () => ofStations((name) => flag(standing()?.stations[name].up ?? undefined)),
  );
  figures.gauges(
    "pipeline_stuck",
    "Whether data waits and does not get to a station, or from the source: 1 or 0",
    "station",
    () => ofStations((name) => standing() && flag(standing()?.stuck?.station === name)),
  );
  figures.gauges(
    "pipeline_runs",
    "Runs that are kept, of all instances, by their state",
    "state",
    () => standing()?.runs ?? {},
  );
  figures.gauge(
    "pipeline_outbox_rows",
    "Rows in PostgreSQL that wait for the topic, of all instances",
    () => standing()?.raw?.pending,
  );
  figures.gauge(
    "pipeline_outbox_oldest_seconds",
    "How long the first row in the outbox has waited; 0 where there is none",
    () => {
      const raw = standing()?.raw;
      return raw ? (raw.oldestPendingSeconds ?? 0) : undefined;
    },
  );
  figures.gauge(
    "pipeline_freshness_seconds",
    "Age of the newest row in the table, as far as consumers have told",
    () => standing()?.table?.newestRowAgeSeconds ?? undefined,
  );
}

function addTopic(figures: Figures, seen: () => Seen): void {
  const topic = () => seen().pipeline?.topic;
  const partitions = (what: "end" | "next" | "lag"): Values =>
    Object.fromEntries((seen().partitions ?? []).map((each) => [each.partition, each[what]]));
  figures.gauge("pipeline_topic_records", "Records that the topic holds", () => topic()?.records);
  figures.gauge(
    "pipeline_dead_letter_topic_records",
    "Records that the dead-letter topic holds",
    () => topic()?.deadLetters,
  );
  figures.gauge(
    "pipeline_consumers",
    "Consumers of the group that are at work",
    () => seen().pipeline?.consumers?.length,
  );
  figures.gauges(
    "pipeline_topic_end_offset",
    "The offset that the next record on the topic will have",
    "partition",
    () => partitions("end"),
  );
  figures.gauges(
    "pipeline_group_offset",
    "The first record that the consumer group has still to write and commit",
    "partition",
    () => partitions("next"),
  );
  figures.gauges(
    "pipeline_group_lag_records",
    "Records on the topic that the consumer group has not written and committed",
    "partition",
    () => partitions("lag"),
  );
}

/** Seconds: a page of the API takes some tenths, and may wait for the rate limit for minutes. */
const pageBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Seconds: the least and the most that a run of one user and of a million may take. */
const attemptBuckets = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21_600];

function addRuns(figures: Figures) {
  const attempts = figures.counter(
    "pipeline_attempts_total",
    "Attempts of runs that have ended here, by what became of them",
    { labels: { outcome: ["success", "failed", "cancelled", "released", "lost"] } },
  );
  const attempt = figures.histogram(
    "pipeline_attempt_duration_seconds",
    "From the start of an attempt to its end",
    { buckets: attemptBuckets },
  );
  const onAttempt = ({ outcome, ms }: EndedAttempt) => {
    attempts.inc({ outcome });
    attempt.observe(ms / 1000);
  };
  return { ...addSource(figures), ...addPages(figures), onAttempt };
}

function addPages(figures: Figures) {
  const count = (name: `${string}_total`, help: string) => figures.counter(name, help);
  const pages = count("pipeline_pages_committed_total", "Pages fetched and kept in PostgreSQL");
  const fetched = count("pipeline_users_fetched_total", "Users received and kept in PostgreSQL");
  const accepted = count(
    "pipeline_users_accepted_total",
    "Users received that are users by our schema",
  );
  const rejected = count(
    "pipeline_users_rejected_total",
    "Users received that are none, and kept with the reason",
  );
  const page = figures.histogram(
    "pipeline_page_duration_seconds",
    "How long a page took, by phase; waiting for the rate limit and for what is down included",
    { labels: { phase: ["fetch", "judge", "commit"] }, buckets: pageBuckets },
  );
  const onPage = ({ users, rejected: none, ms }: PageResult) => {
    pages.inc();
    fetched.inc(users);
    accepted.inc(users - none);
    rejected.inc(none);
    for (const [phase, each] of Object.entries(ms)) page.observe({ phase }, each / 1000);
  };
  return { onPage };
}

function addSource(figures: Figures) {
  const requests = figures.counter(
    "pipeline_source_requests_total",
    "Requests to the API that have ended, by the HTTP status, or the failure where none came",
    { labels: { status: ["200"] } },
  );
  const duration = figures.histogram(
    "pipeline_source_request_duration_seconds",
    "From a request to the API to the end of its answer",
    { buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
  );
  const onCall: ServiceMetrics["told"]["onCall"] = ({ status, ms }) => {
    requests.inc({ status });
    duration.observe(ms / 1000);
  };
  return { onCall };
}

function addRelay(figures: Figures) {
  const published = figures.counter(
    "pipeline_records_published_total",
    "Records acknowledged by the topic and gone from the outbox",
  );
  const refused = figures.counter(
    "pipeline_records_refused_total",
    "Rows of the outbox that can never be records, and are rejected",
  );
  const duration = figures.histogram(
    "pipeline_relay_batch_duration_seconds",
    "How long a batch took from the outbox to the topic, by phase",
    {
      labels: { phase: ["take", "encode", "wait", "publish", "commit"] },
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    },
  );
  const onRelayed = (batch: RelayResult) => {
    published.inc(batch.rows - batch.refused);
    refused.inc(batch.refused);
    for (const [phase, each] of Object.entries(batch.ms)) duration.observe({ phase }, each / 1000);
  };
  return { onRelayed };
}

function ofStations(value: (name: Station) => number | undefined): Values {
  return Object.fromEntries(stations.map((name) => [name, value(name)]));
}

function flag(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
