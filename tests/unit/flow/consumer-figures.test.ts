import { expect, test } from "bun:test";
import { createConsumerFigures } from "../../../lib/flow/consumer-figures.ts";
import type { BatchResult } from "../../../lib/flow/topic-to-sink.ts";
import { createWaits } from "../../../lib/waits.ts";

const second = 1000;

/** A consumer at a made-up time, in seconds. */
function consumer() {
  const clock = { seconds: 0 };
  const now = () => new Date(clock.seconds * second);
  const waits = createWaits(now);
  const conceal = (text: string) => text.replaceAll("hunter2", "[secret]");
  const figures = createConsumerFigures({
    ...{ worker: "one", log: { waits, conceal }, now, memory: () => 1e8 },
  });
  return { ...figures, clock, waits };
}

/** A batch of so many rows, written in `ms`, that were received so many seconds before now. */
function batch(rows: number, ms: number, { from = 0, to = 0, now = 0 } = {}): BatchResult {
  return {
    ...{ records: rows + 1, rows, deadLetters: 1 },
    ms: { decode: 1, write: ms, deadLetters: 2 },
    written: {
      oldestVersion: (now - from) * 1e6,
      newestVersion: (now - to) * 1e6,
      atMs: now * second,
    },
  };
}

test("a consumer that has done nothing says so", () => {
  expect(consumer().now()).toEqual({
    ...{ worker: "one", at: "1970-01-01T00:00:00.000Z", startedAt: "1970-01-01T00:00:00.000Z" },
    ...{ memoryBytes: 1e8, records: 0, rows: 0, deadLetters: 0, newestRowAt: null },
    ...{ batchRows: null, writeMs: null, endToEndMs: null, waiting: null, lastError: null },
  });
});

test("percentiles are of the batches of the last minute, the counts of all", () => {
  const { add, now, clock } = consumer();
  add(batch(1000, 5000));
  clock.seconds = 61;
  for (let ms = 1; ms <= 100; ms++) add(batch(10, ms, { now: 61 }));
  expect(now()).toMatchObject({
    ...{ records: 101 + 1000 + 1000, rows: 2000, deadLetters: 101 },
    batchRows: { p50: 10, p99: 10 },
    writeMs: { p50: 50, p99: 99 },
  });
});

test("how long rows took is told by the oldest and the newest of each batch, by how many they are", () => {
  const { add, now, clock } = consumer();
  clock.seconds = 100;
  add(batch(98, 1, { from: 2, to: 1, now: 100 }));
  add(batch(2, 1, { from: 90, to: 60, now: 100 }));
  expect(now()).toMatchObject({
    endToEndMs: { p50: 2000, p99: 60_000 },
    newestRowAt: "1970-01-01T00:01:39.000Z",
  });
});

test("a row from a clock that is ahead took no time, not less than none", () => {
  const { add, now } = consumer();
  add(batch(1, 1, { from: -5, to: -5 }));
  expect(now().endToEndMs).toEqual({ p50: 0, p99: 0 });
});

test("what it waits for is said while it does, and the failure afterwards too, without secrets", () => {
  const { now, waits, clock } = consumer();
  const wait = waits.begin("the table", `hunter2 is wrong${"!".repeat(1000)}`);
  clock.seconds = 7;
  wait.failed("no node answers");
  const since = "1970-01-01T00:00:00.000Z";
  const lastError = { at: "1970-01-01T00:00:07.000Z", message: "no node answers" };
  expect(now()).toMatchObject({
    waiting: { what: "the table", reason: "no node answers", since },
    lastError,
  });
  wait.over();
  expect(now()).toMatchObject({ waiting: null, lastError });
  waits.begin("the table", `hunter2 is wrong${"!".repeat(1000)}`);
  expect(now().waiting?.reason).toMatch(/^\[secret\] is wrong!+$/);
  expect(now().waiting?.reason).toHaveLength(300);
});

test("the newest row may be one that the consumer before has written", () => {
  const { add, now, heard, clock } = consumer();
  const before = { ...now(), newestRowAt: "1970-01-01T00:00:50.000Z" };
  heard(before);
  heard({ ...before, newestRowAt: null });
  expect(now().newestRowAt).toBe(before.newestRowAt);
  clock.seconds = 100;
  add(batch(1, 1, { from: 60, to: 60, now: 100 }));
  expect(now().newestRowAt).toBe(before.newestRowAt);
  add(batch(1, 1, { from: 1, to: 1, now: 100 }));
  expect(now().newestRowAt).toBe("1970-01-01T00:01:39.000Z");
});
