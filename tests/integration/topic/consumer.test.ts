import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ReceivedRecord } from "../../../lib/domain/event.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { type ConsumerOptions, openConsumer } from "../../../lib/topic/consumer.ts";
import { recordSourceContract } from "../../contracts/record-source.ts";
import { failureOf } from "../../failure.ts";
import { createLogLines } from "../../log-lines.ts";
import { type MadeTopics, makeTopics } from "../../topics.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const value = (text: unknown) => ({ value: Buffer.from(String(text)) });
/** What a record is read for: its getters are no properties of its own to compare. */
const fields = ({
  topic,
  partition,
  offset,
  timestampMs,
  key,
  value,
  headers,
}: ReceivedRecord) => ({
  ...{ topic, partition, offset, timestampMs, key, value, headers },
});
const texts = (records: readonly ReceivedRecord[]) => records.map((record) => String(record.value));
const member = ({ config }: MadeTopics, options: Partial<ConsumerOptions> = {}) =>
  openConsumer(config, { log, signal: never, ...options });
/** Properties that make an absent member known to its group as soon as brokers allow. */
const impatient = { "session.timeout.ms": 6000, "max.poll.interval.ms": 6000 };

/** What is left to read for the group; the member is closed. */
async function drained(topics: MadeTopics): Promise<readonly string[]> {
  const all: string[] = [];
  await using consumer = await member(topics, { drain: true });
  await consumer.batches(async (records) => void all.push(...texts(records)), never);
  return all;
}

async function committed({ config, reader }: MadeTopics): Promise<Record<number, number>> {
  return Object.fromEntries(await reader.committed(config.name));
}

recordSourceContract("the consumer of Kafka", async () => {
  const topics = await makeTopics();
  return {
    add: (values) => topics.send(values.map(value)),
    member: ({ drain }) => member(topics, { drain }),
    [Symbol.asyncDispose]: topics[Symbol.asyncDispose],
  };
});

test("what is still to be dealt with is known of each partition owned, and of no other", async () => {
  await using topics = await makeTopics({ partitions: 2 });
  const records = (count: number, key: string) =>
    Array.from({ length: count }, () => ({ ...value("a"), key }));
  // These two keys are in two partitions.
  await topics.send([...records(3, "a"), ...records(2, "d")]);
  const marks = await topics.reader.watermarks(topics.config.name);
  expect([...marks.values()].map(({ high }) => high).toSorted()).toEqual([2, 3]);
  const stop = new AbortController();
  await using consumer = await member(topics, { signal: stop.signal });
  const handled = Promise.withResolvers<void>();
  const reading = consumer.batches(() => handled.promise, stop.signal);
  const lags = async () => Object.fromEntries(await consumer.lags());
  const all = Object.fromEntries([...marks].map(([partition, { high }]) => [partition, high]));
  await until(async () => Bun.deepEquals(await lags(), all));
  handled.resolve();
  await until(async () => Object.values(await lags()).every((lag) => lag === 0));
  await topics.send(records(1, "a"));
  await until(async () => Object.values(await lags()).every((lag) => lag === 0));
  stop.abort();
  await reading;
});

describe("a record", () => {
  test("comes with key, headers, time and place, to the byte", async () => {
    await using topics = await makeTopics();
    const bytes = Buffer.from([0, 255, 13, 10]);
    await topics.send([
      { key: bytes, value: bytes, headers: [{ a: "1" }, { a: "2" }, { "x\ny": bytes }] },
      { key: "", value: null },
    ]);
    const all: ReceivedRecord[] = [];
    await using consumer = await member(topics, { drain: true });
    await consumer.batches(async (records) => void all.push(...records), never);
    const place = { topic: topics.config.name, partition: 0 };
    expect(all.map(fields)).toEqual([
      {
        ...{ ...place, offset: 0, timestampMs: expect.any(Number), key: bytes, value: bytes },
        headers: { a: Buffer.from("2"), "x\ny": bytes },
      },
      {
        ...{ ...place, offset: 1, timestampMs: expect.any(Number), key: Buffer.alloc(0) },
        ...{ value: null, headers: {} },
      },
    ]);
    expect(Math.abs((all[0]?.timestampMs ?? 0) - Date.now())).toBeLessThan(600_000);
  });

  test("comes in batches of at most as many as wanted", async () => {
    await using topics = await makeTopics({ partitions: 3 });
    await topics.send(Array.from({ length: 100 }, (_, at) => ({ key: String(at), ...value(at) })));
    const sizes: number[] = [];
    await using consumer = await member(topics, { drain: true, batchRecords: 10 });
    await consumer.batches(async (records) => void sizes.push(records.length), never);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(100);
  });
});

describe("offsets", () => {
  test("are committed after the handler has resolved, and not before", async () => {
    await using topics = await makeTopics();
    await topics.send([value("a"), value("b")]);
    const stop = new AbortController();
    const handling = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    await using consumer = await member(topics);
    const running = consumer.batches(async () => {
      handling.resolve();
      await go.promise;
    }, stop.signal);
    await handling.promise;
    expect(await committed(topics)).toEqual({});
    go.resolve();
    await until(async () => (await committed(topics))[0] === 2);
    stop.abort();
    await running;
  });

  test("of a batch that failed are not committed, also when the member closes", async () => {
    await using topics = await makeTopics();
    await topics.send([value("a")]);
    {
      await using consumer = await member(topics);
      const failing = () => Promise.reject(new PipelineError("refused", "no"));
      expect((await failureOf(consumer.batches(failing, never))).message).toBe("no");
    }
    expect(await committed(topics)).toEqual({});
    expect(await drained(topics)).toEqual(["a"]);
  });

  test("of the batches before one that failed are all committed before that is told", async () => {
    await using topics = await makeTopics();
    await topics.send(Array.from({ length: 20 }, (_, at) => value(at)));
    await using consumer = await member(topics, { batchRecords: 1 });
    const failing = async (records: readonly ReceivedRecord[]) => {
      // Each batch is dealt with before the answer to the commit of the one before can be there.
      if (texts(records).includes("19")) throw new PipelineError("refused", "no");
    };
    expect((await failureOf(consumer.batches(failing, never))).message).toBe("no");
    expect(await committed(topics)).toEqual({ 0: 19 });
    await consumer[Symbol.asyncDispose]();
    expect(await drained(topics)).toEqual(["19"]);
  });

  test("are not committed by an old owner: what it was still busy with is read again", async () => {
    await using topics = await makeTopics({ partitions: 2 });
    await topics.send(Array.from({ length: 20 }, (_, at) => ({ key: `k${at}`, ...value(at) })));
    const go = Promise.withResolvers<void>();
    const stop = new AbortController();
    const seen = { first: new Set<number>(), second: new Set<number>() };

    // The first member takes both partitions, and is busy with all of them.
    const first = await member(topics);
    const firstRuns = first.batches(async (records) => {
      for (const { partition } of records) seen.first.add(partition);
      if (seen.first.size === 2) await go.promise;
    }, stop.signal);
    await until(() => seen.first.size === 2);
    // Some may be dealt with by now: whichever partition is given away, there is more to read.
    await topics.send(Array.from({ length: 20 }, (_, at) => ({ key: `k${at}`, ...value(at) })));

    // The second one comes and is given one of them, reads it, and fails.
    const second = await member(topics);
    const secondRuns = failureOf(
      second.batches(async (records) => {
        for (const { partition } of records) seen.second.add(partition);
        throw new PipelineError("refused", "no");
      }, never),
    );
    expect((await secondRuns).message).toBe("no");
    const [lost] = seen.second;

    // Now the first one is done: it may commit what it still has, and nothing else.
    const before = await committed(topics);
    go.resolve();
    await until(async () => Object.keys(await committed(topics)).some((p) => Number(p) !== lost));
    expect((await committed(topics))[lost ?? -1]).toEqual(before[lost ?? -1] as number);
    stop.abort();
    await firstRuns;
    await second[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();

    await using again = await member(topics, { drain: true });
    const rest: number[] = [];
    await again.batches(
      async (records) => void rest.push(...records.map((r) => r.partition)),
      never,
    );
    expect(new Set(rest)).toContain(lost ?? -1);
  });

  test("are kept through a handler that takes longer than a member may be silent", async () => {
    await using topics = await makeTopics({ properties: impatient });
    await topics.send([value("slow")]);
    let handled = 0;
    const stop = new AbortController();
    await using consumer = await member(topics);
    const running = consumer.batches(async () => {
      handled += 1;
      if (handled > 1) return;
      const end = performance.now() + 8000;
      await until(() => performance.now() > end);
    }, stop.signal);
    await until(async () => (await committed(topics))[0] === 1);
    await topics.send([value("next")]);
    await until(async () => handled === 2);
    stop.abort();
    await running;
    expect(handled).toBe(2);
    expect(await drained(topics)).toEqual([]);
  });
});

describe("members of a group", () => {
  test.each([
    ["classic", {}],
    ["consumer", { "group.protocol": "consumer" }],
  ])(
    "give a partition away when they have written and committed what they were busy with: %s",
    async (_, properties) => {
      await using topics = await makeTopics({ partitions: 6, properties });
      await topics.send(Array.from({ length: 120 }, (_, at) => ({ key: `k${at}`, ...value(at) })));
      const go = Promise.withResolvers<void>();
      const stop = new AbortController();
      const all: string[] = [];
      const log = createLogLines();
      await using first = await member(topics, { log });
      const firstRuns = first.batches(async (records) => {
        // The last of them, of most of the partitions.
        if (all.push(...texts(records)) === 120) await go.promise;
      }, stop.signal);
      // Not sooner: members that join together share the partitions at once, and give none away.
      await until(() => all.length === 120);
      const partitions = new Set<number>();
      await using second = await member(topics);
      const secondRuns = second.batches(async (records) => {
        for (const { partition } of records) partitions.add(partition);
        all.push(...texts(records));
      }, stop.signal);
      await until(() => log.told("debug", "to be given away").length > 0);
      go.resolve();
      await until(async () => {
        await topics.send(
          Array.from({ length: 4 }, () => ({ key: crypto.randomUUID(), ...value("x") })),
        );
        return partitions.size > 0;
      });
      stop.abort();
      await Promise.all([firstRuns, secondRuns]);
      const numbers = all.filter((text) => text !== "x");
      expect(numbers.toSorted()).toEqual([...new Set(numbers)].toSorted());
    },
  );

  test("share the partitions, and each record is handled by one of them", async () => {
    await using topics = await makeTopics({ partitions: 4 });
    const stop = new AbortController();
    const all: string[] = [];
    const owners = new Map<number, Set<number>>();
    const members = await Promise.all([0, 1].map(() => member(topics)));
    const running = members.map((consumer, who) =>
      consumer.batches(async (records) => {
        all.push(...texts(records));
        for (const { partition } of records)
          owners.set(who, (owners.get(who) ?? new Set()).add(partition));
      }, stop.signal),
    );
    let sent = 0;
    // Until both have something to do.
    await until(async () => {
      await topics.send(Array.from({ length: 8 }, () => ({ key: `k${sent}`, ...value(sent++) })));
      return owners.size === 2;
    });
    await until(() => new Set(all).size === sent);
    stop.abort();
    await Promise.all(running);
    await Promise.all(members.map((consumer) => consumer[Symbol.asyncDispose]()));
    expect(await drained(topics)).toEqual([]);
  });

  test("drain together: each ends when all is committed, whoever did it", async () => {
    await using topics = await makeTopics({ partitions: 4 });
    await topics.send(Array.from({ length: 200 }, (_, at) => ({ key: String(at), ...value(at) })));
    const all: string[] = [];
    const drain = async () => {
      await using consumer = await member(topics, { drain: true });
      await consumer.batches(async (records) => void all.push(...texts(records)), never);
    };
    await Promise.all([drain(), drain()]);
    expect(new Set(all).size).toBe(200);
  });
});

describe("draining", () => {
  test("ends although some partitions are empty", async () => {
    await using topics = await makeTopics({ partitions: 6 });
    await topics.send([{ key: "one", ...value("a") }]);
    expect(await drained(topics)).toEqual(["a"]);
    expect(await drained(topics)).toEqual([]);
  });

  test("ends at the end there was at its start", async () => {
    await using topics = await makeTopics();
    await topics.send([value(0)]);
    await using consumer = await member(topics, { drain: true, batchRecords: 1 });
    // More comes with each batch: there is no other end than that of the start.
    let handled = 0;
    await consumer.batches(async (records) => {
      handled += records.length;
      if (handled > 20_000) throw new Error("it goes on and on");
      await topics.send([value("more"), value("more")]);
    }, never);
    expect((await committed(topics))[0]).toBe(handled);
  });

  test("ends where the marker of a transaction is the last of a partition", async () => {
    await using topics = await makeTopics({ partitions: 2 });
    await topics.sendInTransaction([
      { partition: 0, ...value("a") },
      { partition: 0, ...value("b") },
    ]);
    expect([...(await drained(topics))].toSorted()).toEqual(["a", "b"]);
    expect(await committed(topics)).toMatchObject({ 0: 3 });
  });

  test("ends where nothing but an aborted transaction is there, whose records nobody sees", async () => {
    await using topics = await makeTopics();
    await topics.sendInTransaction([{ partition: 0, ...value("never") }], "abort");
    expect(await drained(topics)).toEqual([]);
    expect(await drained(topics)).toEqual([]);
  });

  test("ends with its signal", async () => {
    await using topics = await makeTopics();
    await topics.send([value("a")]);
    const stop = new AbortController();
    await using consumer = await member(topics, { drain: true });
    await consumer.batches(async () => stop.abort(), stop.signal);
  });
});
