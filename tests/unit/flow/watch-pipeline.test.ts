import { describe, expect, test } from "bun:test";
import type { ConsumerFigures } from "../../../lib/domain/consumer-figures.ts";
import { PipelineError } from "../../../lib/errors.ts";
import {
  type RawFigures,
  type TopicFigures,
  watchPipeline,
} from "../../../lib/flow/watch-pipeline.ts";
import { silentLog } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";

const start = "1970-01-01T00:00:00.000Z";
const runs = { queued: 0, running: 1, success: 0, failed: 0, cancelled: 0, skipped: 0 };
const source = { up: null, since: null, lastError: null };
const raw = { rows: 10, rejected: 1, pending: 4, oldestPendingSeconds: 0.5 };

const consumer: ConsumerFigures = {
  ...{ worker: "well", at: start, startedAt: start, memoryBytes: 1e8 },
  ...{ records: 2, rows: 1, deadLetters: 1, newestRowAt: "1970-01-01T00:00:01.000Z" },
  ...{ batchRows: null, writeMs: null, endToEndMs: null, waiting: null, lastError: null },
};

/** A pipeline of made-up figures, at a made-up time. */
function watched() {
  const consumers: ConsumerFigures[] = [];
  const state = { ms: 0, received: 100, consumed: 30, written: 50, asked: 0, consumers };
  const figures = {
    raw: (): Promise<RawFigures> => {
      state.asked += 1;
      return Promise.resolve({ runs, raw, received: state.received, source });
    },
    topic: (): Promise<TopicFigures> => {
      const { written, consumed, consumers } = state;
      const table = { consumed, lag: written - consumed };
      return Promise.resolve({
        topic: { records: 50, deadLetters: 2 },
        table,
        partitions: [{ partition: 0, end: written, next: consumed, lag: table.lag }],
        written,
        consumers,
      });
    },
  };
  const { now, partitions } = watchPipeline({
    raw: { figures: () => figures.raw() },
    topic: { figures: () => figures.topic() },
    now: () => new Date(state.ms),
    log: silentLog,
  });
  return { now, partitions, state, figures };
}

describe("the pipeline", () => {
  test("is asked anew when the clock was set back, as later", async () => {
    const { now, state } = watched();
    state.ms = 600_000;
    await now();
    await now();
    expect(state.asked).toBe(1);
    state.ms = 0;
    await now();
    expect(state.asked).toBe(2);
  });

  test("knows the partitions as they were found last", async () => {
    const { now, partitions, state, figures } = watched();
    expect(partitions()).toBeNull();
    await now();
    expect(partitions()).toEqual([{ partition: 0, end: 50, next: 30, lag: 20 }]);
    figures.topic = () => Promise.reject(new PipelineError("unavailable", "down"));
    state.ms = 2000;
    await now();
    expect(partitions()).toBeNull();
  });

  test("is what the stations say, with no rates at first", async () => {
    const up = { up: true, since: start, lastError: null };
    const unknown = { up: null, since: null, lastError: null };
    expect(await watched().now()).toEqual({
      at: start,
      stations: { source, raw: up, topic: up, table: unknown },
      stuck: null,
      runs,
      raw: { ...raw, rowsPerSecond: null },
      topic: { records: 50, deadLetters: 2, recordsPerSecond: null },
      table: {
        ...{ consumed: 30, lag: 20, recordsPerSecond: null },
        ...{ newestRowAt: null, newestRowAgeSeconds: null },
      },
      consumers: [],
    });
  });

  test("has the rates of the last seconds", async () => {
    const { now, state } = watched();
    await now();
    Object.assign(state, { ms: 2000, received: 300, written: 150, consumed: 35 });
    expect(await now()).toMatchObject({
      raw: { rowsPerSecond: 100 },
      topic: { recordsPerSecond: 50 },
      table: { recordsPerSecond: 2.5 },
    });
    // After the window only what was seen in it counts.
    Object.assign(state, { ms: 60_000 });
    expect(await now()).toMatchObject({ raw: { rowsPerSecond: null } });
    Object.assign(state, { ms: 62_000 });
    expect(await now()).toMatchObject({ raw: { rowsPerSecond: 0 } });
  });

  test("has no negative rates, for a topic made anew", async () => {
    const { now, state } = watched();
    await now();
    Object.assign(state, { ms: 1000, written: 0, consumed: 0 });
    expect(await now()).toMatchObject({ topic: { recordsPerSecond: 0 } });
  });

  test("is asked for once a second, however many want to know", async () => {
    const { now, state } = watched();
    const [one, other] = await Promise.all([now(), now()]);
    expect(other).toBe(one);
    Object.assign(state, { ms: 999 });
    await now();
    expect(state.asked).toBe(1);
    Object.assign(state, { ms: 1000 });
    await now();
    expect(state.asked).toBe(2);
  });

  test("has no topic and no table while Kafka does not answer, and asks it no second time", async () => {
    const { now, state, figures } = watched();
    const answer = Promise.withResolvers<TopicFigures>();
    let asked = 0;
    const topic = figures.topic;
    figures.topic = () => {
      asked += 1;
      return answer.promise;
    };
    expect(await now()).toMatchObject({ raw: { rows: 10 }, topic: null, table: null });
    state.ms = 5000;
    answer.resolve(await topic());
    expect(await now()).toMatchObject({ topic: { records: 50 } });
    expect(asked).toBe(1);
  });

  test("has no raw rows while PostgreSQL does not answer, tells why, and has them when it does", async () => {
    const { now, state, figures } = watched();
    const good = figures.raw;
    figures.raw = () => Promise.reject(new PipelineError("unavailable", "down"));
    const down = { up: false, since: start, lastError: { at: start, message: "down" } };
    expect(await now()).toMatchObject({
      ...{ runs: null, raw: null, topic: { records: 50 }, stations: { raw: down } },
      stuck: { station: "raw", since: start, why: "down" },
    });
    figures.raw = good;
    state.ms = 1000;
    expect(await now()).toMatchObject({
      raw: { rows: 10 },
      stations: { raw: { ...down, up: true, since: "1970-01-01T00:00:01.000Z" } },
      stuck: null,
    });
  });

  test("has the consumers that go on saying something, whatever their clocks say", async () => {
    const { now, state } = watched();
    const says = (worker: string, seconds: number) => ({
      ...consumer,
      ...{ worker, at: new Date(seconds * 1000).toISOString() },
    });
    const alive = async (ms: number, ...consumers: ConsumerFigures[]) => {
      Object.assign(state, { ms, consumers });
      return (await now()).consumers?.map(({ worker }) => worker);
    };
    expect(await alive(100_000, says("now", 99), says("long ago", 80))).toEqual(["now"]);
    expect(await alive(110_000, says("now", 100), says("long ago", 81))).toEqual([
      ...["now", "long ago"],
    ]);
    expect(await alive(124_000, says("now", 101), says("long ago", 81))).toEqual([
      ...["now", "long ago"],
    ]);
    expect(await alive(125_000, says("now", 102), says("long ago", 81))).toEqual(["now"]);
  });

  test("knows of the newest row and of the table what consumers say", async () => {
    const { now, state } = watched();
    const wait = { what: "the table", reason: "no node answers", since: start };
    const lastError = { at: start, message: "no node answers" };
    const ill = { ...consumer, worker: "ill", waiting: wait, lastError };
    Object.assign(state, { ms: 3000, consumers: [consumer, ill] });
    expect(await now()).toMatchObject({
      stations: { table: { up: true, lastError } },
      table: { newestRowAt: "1970-01-01T00:00:01.000Z", newestRowAgeSeconds: 2 },
    });
    Object.assign(state, { ms: 5000, consumers: [ill] });
    expect(await now()).toMatchObject({
      stations: { table: { up: false, since: start, lastError } },
      stuck: null,
    });
    // What waits has not gone on for ten seconds.
    Object.assign(state, { ms: 13_000, consumers: [{ ...ill, at: "1970-01-01T00:00:13.000Z" }] });
    expect(await now()).toMatchObject({ stuck: { station: "table", since: start } });
  });

  test("hides no fault of ours", async () => {
    const { now, figures } = watched();
    figures.raw = () => Promise.reject(new TypeError("a bug"));
    expect((await failureOf(now())).message).toBe("a bug");
  });
});
