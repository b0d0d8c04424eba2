import { describe, expect, test } from "bun:test";
import type { Pipeline } from "../../../lib/domain/pipeline.ts";
import { silentLog } from "../../../lib/log.ts";
import { openServiceMetrics, type WatchedPipeline } from "../../../lib/metrics/service.ts";
import { createWaits } from "../../../lib/waits.ts";
import { readMetrics, sampleValue } from "../../metrics.ts";
import { standing } from "../../standing.ts";

const noon = new Date("2026-01-01T12:00:00Z");

async function opened({ now = () => noon } = {}) {
  const waits = createWaits(now);
  const metrics = await openServiceMetrics({ log: { ...silentLog, waits }, now });
  const read = async () => readMetrics(await metrics.text());
  return { metrics, waits, read, [Symbol.dispose]: metrics[Symbol.dispose] };
}

const watching = (over: Partial<Pipeline> = {}): WatchedPipeline => ({
  now: async () => ({ ...standing, ...over }),
  partitions: () => [
    { partition: 0, end: 50, next: 30, lag: 20 },
    { partition: 1, end: 7, next: 7, lag: 0 },
  ],
});

describe("the stations", () => {
  test("are unknown, and no figure is made up for them, until they are watched", async () => {
    using it = await opened();
    const names = (await it.read()).flatMap(({ samples }) => samples.map(({ name }) => name));
    const unknown = /^pipeline_(station_up|stuck|runs|outbox|topic|group|consumers|freshness)/;
    expect(names.filter((name) => unknown.test(name))).toEqual([]);
    expect(names).toContain("process_resident_memory_bytes");
  });

  test("are told as the pipeline says they stand", async () => {
    using it = await opened();
    it.metrics.watch(watching());
    const metrics = await it.read();
    const value = (name: string, labels = {}) => sampleValue(metrics, `pipeline_${name}`, labels);
    const up = ["source", "raw", "topic", "table"].map((station) =>
      value("station_up", { station }),
    );
    expect(up).toEqual([undefined, 1, 1, 0]);
    const stuck = ["source", "raw", "topic", "table"].map((station) => value("stuck", { station }));
    expect(stuck).toEqual([0, 0, 0, 1]);
    expect(value("runs", { state: "success" })).toBe(3);
    expect(value("outbox_rows")).toBe(2);
    expect(value("outbox_oldest_seconds")).toBe(0.5);
    expect(value("topic_records")).toBe(57);
    expect(value("dead_letter_topic_records")).toBe(4);
    expect(value("freshness_seconds")).toBe(1.5);
    expect(value("consumers")).toBe(0);
    const partition = (name: string) => ["0", "1"].map((partition) => value(name, { partition }));
    expect(partition("topic_end_offset")).toEqual([50, 7]);
    expect(partition("group_offset")).toEqual([30, 7]);
    expect(partition("group_lag_records")).toEqual([20, 0]);
  });

  test("that do not answer have no figures: those of before are not told again", async () => {
    let ms = noon.getTime();
    using it = await opened({ now: () => new Date(ms) });
    it.metrics.watch(watching());
    await it.read();
    it.metrics.watch({
      now: async () => ({
        ...standing,
        ...{ runs: null, raw: null, topic: null, table: null, consumers: null },
      }),
      partitions: () => null,
    });
    ms += 1000;
    const metrics = await it.read();
    const left = metrics.filter(
      ({ name, samples }) => samples.length === 0 && !/_total$/.test(name),
    );
    expect(left.map(({ name }) => name).toSorted()).toEqual([
      ...["pipeline_consumers", "pipeline_dead_letter_topic_records", "pipeline_freshness_seconds"],
      ...["pipeline_group_lag_records", "pipeline_group_offset", "pipeline_outbox_oldest_seconds"],
      ...["pipeline_outbox_rows", "pipeline_runs", "pipeline_topic_end_offset"],
      "pipeline_topic_records",
    ]);
    expect(sampleValue(metrics, "pipeline_station_up", { station: "raw" })).toBe(1);
  });
});

test("what is told of calls, pages, attempts and batches is counted", async () => {
  using it = await opened();
  const { onCall, onPage, onAttempt, onRelayed } = it.metrics.told;
  onCall({ status: 200, ms: 20 });
  onCall({ status: "timeout", ms: 30_000 });
  onPage({ users: 1000, rejected: 3, ms: { fetch: 400, judge: 20, commit: 100 } });
  onPage({ users: 10, rejected: 0, ms: { fetch: 4000, judge: 0, commit: 1 } });
  onAttempt({ outcome: "success", ms: 1500 });
  onRelayed({
    rows: 500,
    refused: 2,
    ms: { take: 30, encode: 1, wait: 0, publish: 40, commit: 9 },
  });
  const metrics = await it.read();
  const value = (name: string, labels = {}) => sampleValue(metrics, `pipeline_${name}`, labels);
  expect(value("source_requests_total", { status: "200" })).toBe(1);
  expect(value("source_requests_total", { status: "timeout" })).toBe(1);
  expect(value("source_request_duration_seconds_sum")).toBe(30.02);
  expect(value("pages_committed_total")).toBe(2);
  expect(value("users_fetched_total")).toBe(1010);
  expect(value("users_accepted_total")).toBe(1007);
  expect(value("users_rejected_total")).toBe(3);
  expect(value("page_duration_seconds_sum", { phase: "fetch" })).toBe(4.4);
  expect(value("page_duration_seconds_bucket", { phase: "fetch", le: "0.5" })).toBe(1);
  expect(value("attempts_total", { outcome: "success" })).toBe(1);
  expect(value("attempts_total", { outcome: "failed" })).toBe(0);
  expect(value("attempt_duration_seconds_sum")).toBe(1.5);
  expect(value("records_published_total")).toBe(498);
  expect(value("records_refused_total")).toBe(2);
  expect(value("relay_batch_duration_seconds_sum", { phase: "publish" })).toBe(0.04);
});

test("what the process waits for, and how often it failed, is told", async () => {
  let ms = noon.getTime();
  using it = await opened({ now: () => new Date(ms) });
  const wait = it.waits.begin("Kafka", "down");
  wait.failed("down");
  wait.failed("down");
  ms += 2500;
  const metrics = await it.read();
  expect(sampleValue(metrics, "pipeline_waiting_seconds")).toBe(2.5);
  expect(sampleValue(metrics, "pipeline_retries_total")).toBe(2);
});
