import { describe, expect, test } from "bun:test";
import type { BatchResult } from "../../../lib/flow/topic-to-sink.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumerMetrics, type WatchedNeighbours } from "../../../lib/metrics/consumer.ts";
import { readMetrics, sampleValue } from "../../metrics.ts";
import { rows } from "../../users.ts";

const noonMs = Date.parse("2026-01-01T12:00:00Z");
const noon = () => new Date(noonMs);

async function opened({ now = noon } = {}) {
  const metrics = await openConsumerMetrics({ log, now });
  const read = async () => {
    const all = readMetrics(await metrics.text());
    return (name: string, labels = {}) => sampleValue(all, `pipeline_${name}`, labels);
  };
  return { metrics, read, [Symbol.dispose]: metrics[Symbol.dispose] };
}

const asked = <T>(answer: T | undefined) => ({
  now: async () => answer,
  health: () => ({ up: answer !== undefined, since: null, lastError: null }),
});
const watching = (over: Partial<WatchedNeighbours> = {}): WatchedNeighbours => ({
  topic: asked(new Map([[3, 40]])),
  table: asked({}),
  ...over,
});

const batch = (over: Partial<BatchResult> = {}): BatchResult => ({
  ...{ records: 10, rows: 8, deadLetters: 2, written: undefined },
  ms: { decode: 10, write: 200, deadLetters: 40 },
  ...over,
});

test("batches are counted, with how long each phase took", async () => {
  using it = await opened();
  it.metrics.onBatch(batch(), []);
  it.metrics.onBatch(batch({ records: 1000, rows: 1000, deadLetters: 0 }), []);
  const value = await it.read();
  expect(value("records_read_total")).toBe(1010);
  expect(value("rows_written_total")).toBe(1008);
  expect(value("dead_letters_total")).toBe(2);
  expect(value("batch_records_sum")).toBe(1010);
  expect(value("batch_duration_seconds_sum", { phase: "decode" })).toBe(0.02);
  expect(value("batch_duration_seconds_sum", { phase: "write" })).toBe(0.4);
  expect(value("batch_duration_seconds_sum", { phase: "dead_letters" })).toBe(0.08);
  expect(value("input_rows_per_second")).toBeGreaterThan(0);
  expect(value("processed_rows_per_second")).toBeGreaterThan(0);
});

test("the newest row of all batches is told, with its age; nothing before there is one", async () => {
  using it = await opened();
  const before = await it.read();
  expect(before("newest_row_timestamp_seconds")).toBeUndefined();
  expect(before("freshness_seconds")).toBeUndefined();
  const written = (agoMs: number) => {
    const version = (noonMs - agoMs) * 1000;
    return { oldestVersion: version, newestVersion: version, atMs: noonMs };
  };
  using other = await opened();
  for (const agoMs of [9000, 2500, 7000]) {
    const version = (noonMs - agoMs) * 1000;
    other.metrics.onBatch(batch({ written: written(agoMs) }), rows(2, version));
  }
  const value = await other.read();
  expect(value("newest_row_timestamp_seconds")).toBe(noonMs / 1000 - 2.5);
  expect(value("freshness_seconds")).toBe(2.5);
  expect(value("end_to_end_latency_seconds_count")).toBe(6);
  expect(value("end_to_end_latency_seconds_bucket", { le: "5" })).toBe(2);
  expect(value("end_to_end_latency_seconds_bucket", { le: "10" })).toBe(6);
  expect(value("end_to_end_latency_seconds_sum")).toBeCloseTo(37, 3);
});

describe("the neighbours", () => {
  test("are told: whether they answer, and what is left to do in each partition", async () => {
    using it = await opened();
    it.metrics.watch(watching());
    const value = await it.read();
    expect(value("station_up", { station: "topic" })).toBe(1);
    expect(value("station_up", { station: "table" })).toBe(1);
    expect(value("consumer_lag_records", { partition: "3" })).toBe(40);
  });

  test("that do not answer are told as that, with nothing of what they said before", async () => {
    let ms = noonMs;
    using it = await opened({ now: () => new Date(ms) });
    it.metrics.watch(watching());
    await it.read();
    it.metrics.watch(watching({ topic: asked(undefined) }));
    ms += 1000;
    const value = await it.read();
    expect(value("station_up", { station: "topic" })).toBe(0);
    expect(value("station_up", { station: "table" })).toBe(1);
    expect(value("consumer_lag_records", { partition: "3" })).toBeUndefined();
  });
});
