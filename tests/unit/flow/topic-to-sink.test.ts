import { describe, expect, test } from "bun:test";
import { encode } from "../../../lib/domain/event.ts";
import { replayRecord } from "../../../lib/domain/letter.ts";
import { PipelineError } from "../../../lib/errors.ts";
import {
  type BatchResult,
  type RecordSource,
  type Sink,
  topicToSink,
} from "../../../lib/flow/topic-to-sink.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { sleep } from "../../../lib/sleep.ts";
import { failureOf } from "../../failure.ts";
import { createFakeDeadLetters } from "../../fakes/dead-letters.ts";
import { createFakeTopic } from "../../fakes/record-source.ts";
import { createFakeSink } from "../../fakes/sink.ts";
import { until } from "../../until.ts";
import { never, record, rows } from "../../users.ts";

const now = () => new Date(1_800_000_000_000);
const down = () => new PipelineError("unavailable", "down", { retryAfterMs: 0 });
const records = (...all: ReturnType<typeof rows>) =>
  all.map((row, offset) => {
    const { key, value, headers } = encode(row, { run: 1, raw: offset });
    return record({
      offset,
      key,
      value: Buffer.from(value),
      headers: Object.assign({}, ...headers),
    });
  });

describe("a batch", () => {
  test("becomes rows, and is committed", async () => {
    const [topic, sink, letters] = [createFakeTopic(), createFakeSink(), createFakeDeadLetters()];
    const all = rows(5);
    topic.add(...records(...all));
    const results: BatchResult[] = [];
    const onBatch = (batch: BatchResult) => void results.push(batch);
    await topicToSink(topic.open({ drain: true }), sink, letters, {
      log,
      signal: never,
      now,
      onBatch,
    });
    expect([...sink.rows.values()]).toEqual(all);
    expect(topic.committed).toBe(5);
    expect(letters.letters).toEqual([]);
    expect(results).toMatchObject([{ records: 5, rows: 5, deadLetters: 0 }]);
    const versions = all.map(({ version }) => version);
    expect(results[0]?.written).toEqual({
      oldestVersion: Math.min(...versions),
      newestVersion: Math.max(...versions),
      atMs: now().getTime(),
    });
  });

  test("with records that are none has each as one dead letter, and its neighbours become rows", async () => {
    const [topic, sink, letters] = [createFakeTopic(), createFakeSink(), createFakeDeadLetters()];
    const [first, last] = records(...rows(2));
    const poison = [
      record({ offset: 1, value: Buffer.from("not json") }),
      record({ offset: 2, value: null }),
    ];
    if (first && last) topic.add(first, ...poison, { ...last, offset: 3 });
    const results: BatchResult[] = [];
    const onBatch = (batch: BatchResult) => void results.push(batch);
    await topicToSink(topic.open({ drain: true }), sink, letters, {
      log,
      signal: never,
      now,
      onBatch,
    });
    expect(sink.rows.size).toBe(2);
    expect(letters.letters).toEqual([
      {
        record: poison[0] ?? record(),
        attempts: 1,
        stage: "decode",
        rejection: { path: "", reason: "value: nothing is not an object" },
      },
      {
        record: poison[1] ?? record(),
        attempts: 1,
        stage: "decode",
        rejection: { path: "", reason: "value: there is none" },
      },
    ]);
    expect(results).toMatchObject([{ records: 4, rows: 2, deadLetters: 2 }]);
    expect(topic.committed).toBe(4);
  });

  test("with a row that the table refuses has the record it came from as a dead letter", async () => {
    const [topic, sink, letters] = [createFakeTopic(), createFakeSink(), createFakeDeadLetters()];
    const [good, bad] = rows(2);
    if (!good || !bad) throw new Error("no rows");
    const huge = { ...bad, user: { ...bad.user, address: "x".repeat(70_000) } };
    const [poison] = [record({ offset: 0, value: null })];
    const [goodRecord, hugeRecord] = records(good, huge);
    if (goodRecord && hugeRecord)
      topic.add(poison, { ...hugeRecord, offset: 1 }, { ...goodRecord, offset: 2 });
    await topicToSink(topic.open({ drain: true }), sink, letters, { log, signal: never, now });
    expect([...sink.rows.values()]).toEqual([good]);
    expect(letters.letters.map(({ record, stage }) => [record.offset, stage])).toEqual([
      [0, "decode"],
      [1, "write"],
    ]);
  });

  test("tells of the versions of the rows written, not of those refused, nor when none was", async () => {
    const [topic, results] = [createFakeTopic(), [] as BatchResult[]];
    const told: unknown[] = [];
    const [oldest, written, newest] = rows(3);
    if (!oldest || !written || !newest) throw new Error("no rows");
    const huge = (row: typeof written) => ({
      ...row,
      user: { ...row.user, address: "x".repeat(70_000) },
    });
    topic.add(...records(huge(newest), written, huge(oldest), huge(written)));
    const three = topic.open({ drain: true, batchRecords: 3 });
    await topicToSink(three, createFakeSink(), createFakeDeadLetters(), {
      log,
      signal: never,
      now,
      onBatch: (batch, rows) => {
        results.push(batch);
        told.push(rows);
      },
    });
    expect(told).toEqual([[written], []]);
    expect(results.map(({ rows, written }) => [rows, written])).toEqual([
      [
        1,
        {
          oldestVersion: written.version,
          newestVersion: written.version,
          atMs: now().getTime(),
        },
      ],
      [0, undefined],
    ]);
  });

  test("tells how long each phase took", async () => {
    const [topic, results] = [createFakeTopic(), [] as BatchResult[]];
    const [good] = records(...rows(1));
    const slowToRead = Object.defineProperty(record({ offset: 1, value: null }), "headers", {
      get: () => {
        const until = performance.now() + 10;
        while (performance.now() < until);
        return {};
      },
    });
    if (good) topic.add(good, slowToRead);
    const sink: Sink = { upsert: () => sleep(50, never).then(() => []) };
    const started = performance.now();
    const letters = { put: () => sleep(100, never) };
    await topicToSink(topic.open({ drain: true }), sink, letters, {
      log,
      signal: never,
      now,
      onBatch: (batch) => void results.push(batch),
    });
    const all = performance.now() - started;
    const { decode = 0, write = 0, deadLetters = 0 } = results[0]?.ms ?? {};
    // Timers may ring a millisecond early.
    expect(decode).toBeGreaterThanOrEqual(10);
    expect(write).toBeGreaterThanOrEqual(49);
    expect(deadLetters).toBeGreaterThanOrEqual(99);
    expect(decode + write + deadLetters).toBeLessThanOrEqual(all);
  });

  test("with a replayed record treats it as the one it was, which fails once more", async () => {
    const [topic, sink, letters] = [createFakeTopic(), createFakeSink(), createFakeDeadLetters()];
    const [good] = rows(1);
    if (!good) throw new Error("no rows");
    const { user } = good;
    const first = [
      record({ offset: 4, value: user, timestampMs: 1_600_000_000_000 }),
      record({ offset: 5, value: Buffer.from("not json"), headers: { x: "y" } }),
    ];
    const again = first.map((each, at) => {
      const { key, value, headers } = replayRecord({ record: each, attempts: 3 });
      return record({ offset: 90 + at, key, value, headers: Object.assign({}, ...headers) });
    });
    topic.add(...again);
    await topicToSink(topic.open({ drain: true }), sink, letters, { log, signal: never, now });
    expect([...sink.rows.values()]).toEqual([{ user, version: 1_600_000_000_000_004 }]);
    expect(letters.letters).toMatchObject([{ record: { ...first[1] }, attempts: 4 }]);
  });

  test("is written, then dead-lettered, then committed", async () => {
    const [topic, order] = [createFakeTopic(), [] as string[]];
    const [good] = records(...rows(1));
    if (good) topic.add(good, record({ offset: 1, value: null }));
    const step = (name: string) => {
      order.push(`${name}, ${topic.committed} committed`);
    };
    const sink: Sink = {
      upsert: async () => {
        step("written");
        return [];
      },
    };
    const letters = { put: async () => step("dead-lettered") };
    const onBatch = () => step("told");
    await topicToSink(topic.open({ drain: true }), sink, letters, {
      log,
      signal: never,
      now,
      onBatch,
    });
    expect(order).toEqual([
      "written, 0 committed",
      "dead-lettered, 0 committed",
      "told, 0 committed",
    ]);
    expect(topic.committed).toBe(2);
  });
});

describe("a table that fails", () => {
  test("is waited for, and nothing is committed meanwhile", async () => {
    const [topic, sink, letters] = [createFakeTopic(), createFakeSink(), createFakeDeadLetters()];
    topic.add(...records(...rows(3)));
    const committed: number[] = [];
    const ailing: Sink = {
      upsert: (given, signal) => {
        committed.push(topic.committed);
        return committed.length < 4 ? Promise.reject(down()) : sink.upsert(given, signal);
      },
    };
    await topicToSink(topic.open({ drain: true }), ailing, letters, { log, signal: never, now });
    expect(committed).toEqual([0, 0, 0, 0]);
    expect(sink.rows.size).toBe(3);
    expect(letters.letters).toEqual([]);
  });

  test("for good ends the work, and nothing is committed", async () => {
    const topic = createFakeTopic();
    topic.add(...records(...rows(3)));
    const bug = new TypeError("a bug");
    const work = topicToSink(
      topic.open({ drain: true }),
      { upsert: () => Promise.reject(bug) },
      createFakeDeadLetters(),
      { log, signal: never, now },
    );
    expect(await failureOf(work)).toBe(bug);
    expect(topic.committed).toBe(0);
  });

  test("is no longer waited for when the signal aborts, and nothing is committed", async () => {
    const [topic, stop] = [createFakeTopic(), new AbortController()];
    topic.add(...records(...rows(3)));
    let calls = 0;
    const sink: Sink = {
      upsert: () => {
        calls += 1;
        return Promise.reject(
          new PipelineError("unavailable", "down", { retryAfterMs: 3_600_000 }),
        );
      },
    };
    const letters = createFakeDeadLetters();
    const work = failureOf(
      topicToSink(topic.open(), sink, letters, { log, signal: stop.signal, now }),
    );
    await until(() => calls === 1);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await work).message).toBe("stopped");
    expect(topic.committed).toBe(0);
  });
});

describe("a table that hangs", () => {
  test("hears the signal, and nothing is committed", async () => {
    const [topic, stop] = [createFakeTopic(), new AbortController()];
    topic.add(...records(...rows(3)));
    const hanging = Promise.withResolvers<never>();
    let called = false;
    const sink: Sink = {
      upsert: (_, signal) => {
        called = true;
        signal.addEventListener("abort", () => hanging.reject(signal.reason));
        return hanging.promise;
      },
    };
    const options = { log, signal: stop.signal, now };
    const work = failureOf(topicToSink(topic.open(), sink, createFakeDeadLetters(), options));
    await until(() => called);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await work).message).toBe("stopped");
    expect(topic.committed).toBe(0);
  });
});

describe("a dead-letter topic that fails", () => {
  test("is waited for, and nothing is committed meanwhile", async () => {
    const [topic, sink, letters] = [createFakeTopic(), createFakeSink(), createFakeDeadLetters()];
    topic.add(record({ value: null }));
    const committed: number[] = [];
    const ailing = {
      put: (given: Parameters<typeof letters.put>[0]) => {
        committed.push(topic.committed);
        return committed.length < 3 ? Promise.reject(down()) : letters.put(given);
      },
    };
    await topicToSink(topic.open({ drain: true }), sink, ailing, { log, signal: never, now });
    expect(committed).toEqual([0, 0, 0]);
    expect(letters.letters).toHaveLength(1);
    expect(topic.committed).toBe(1);
  });

  test("is no longer waited for when the signal aborts, and nothing is committed", async () => {
    const [topic, stop] = [createFakeTopic(), new AbortController()];
    topic.add(record({ value: null }));
    let calls = 0;
    const gone = {
      put: () => {
        calls += 1;
        return Promise.reject(new PipelineError("timeout", "down", { retryAfterMs: 3_600_000 }));
      },
    };
    const options = { log, signal: stop.signal, now };
    const work = failureOf(topicToSink(topic.open(), createFakeSink(), gone, options));
    await until(() => calls === 1);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await work).message).toBe("stopped");
    expect(topic.committed).toBe(0);
  });
});

test("a batch that fails for good stops those beside it, which might wait for ever", async () => {
  const batches = rows(2).map((row) => records(row));
  const source: RecordSource = {
    batches: async (handle) => void (await Promise.all(batches.map((batch) => handle(batch)))),
  };
  const [bad] = batches;
  let stopped: unknown;
  const sink: Sink = {
    upsert: async ([row], signal) => {
      if (row?.user.id === String(bad?.[0]?.key)) throw new Error("a bug");
      await until(() => signal.aborted, { what: "the abort" });
      stopped = signal.reason;
      throw signal.reason;
    },
  };
  const moving = topicToSink(source, sink, createFakeDeadLetters(), { log, signal: never, now });
  const failure = await failureOf(moving);
  await until(() => stopped !== undefined, { timeoutMs: 3000, what: "the other is stopped" });
  expect(stopped).toBe(failure);
  expect(failure.message).toBe("a bug");
});
