import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { TopicPartitionOffset } from "@confluentinc/kafka-javascript";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { ensureTopics } from "../../../lib/topic/kafka.ts";
import { call, openAdmin, openConsumer as openRaw } from "../../kafka-clients.ts";
import { createLogLines, type LogLines } from "../../log-lines.ts";
import { type MadeTopics, makeTopics } from "../../topics.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(240_000);

const options = { log, signal: never };
const values = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => ({ value: Buffer.from(`${prefix}${at}`) }));
const texts = (prefix: string, count: number) =>
  values(prefix, count).map(({ value }) => String(value));

async function admin<T>(
  { config }: MadeTopics,
  work: (
    client: Awaited<ReturnType<typeof openAdmin>>["client"],
    done: (error: unknown) => void,
  ) => T,
): Promise<void> {
  using opened = await openAdmin(config.brokers.join(","));
  await call<void>((done) => void work(opened.client, done as (error: unknown) => void));
}

const drop = (topics: MadeTopics) =>
  admin(topics, (client, done) => client.deleteTopic(topics.config.name, 30_000, done));
const keepFrom = (topics: MadeTopics, offset: number) =>
  admin(topics, (client, done) => {
    const before: TopicPartitionOffset = { topic: topics.config.name, partition: 0, offset };
    client.deleteRecords([before], { timeout: 30_000 }, done);
  });

/** Deletes the topic and makes it again, as somebody with a tool of Kafka would. */
async function makeAgain(topics: MadeTopics): Promise<void> {
  await drop(topics);
  const missing = async () => (await topics.reader.watermarks(topics.config.name)).size === 0;
  await until(missing);
  await ensureTopics(topics.config, options);
}

/** A consumer that runs until it is disposed, and what it has handled. */
async function running(
  topics: MadeTopics,
  log: LogLines,
  handling: (text: string) => Promise<void> = async () => {},
) {
  const stop = new AbortController();
  const handled: string[] = [];
  const consumer = await openConsumer(topics.config, { log, signal: never, batchRecords: 5 });
  const ended = consumer.batches(async (records) => {
    for (const record of records) await handling(String(record.value));
    handled.push(...records.map((record) => String(record.value)));
  }, stop.signal);
  return {
    handled,
    committed: async () => (await topics.reader.committed(topics.config.name)).get(0),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
      await consumer[Symbol.asyncDispose]();
    },
  };
}

const remade = "the topic was deleted and made again; reading from its start";
const expired = "records expired before they were consumed";

describe("a topic deleted and made again", () => {
  test("under a running consumer is read from its start, said once", async () => {
    await using topics = await makeTopics();
    const log = createLogLines();
    await topics.send(values("old", 10));
    await using consumer = await running(topics, log);
    await until(async () => (await consumer.committed()) === 10);

    await makeAgain(topics);
    // More than there were: the client's own position is in the middle of them.
    await topics.send(values("new", 25));
    await until(() => texts("new", 25).every((text) => consumer.handled.includes(text)));
    await until(async () => (await consumer.committed()) === 25);
    expect(log.told("warn", remade)).toHaveLength(1);
    expect(log.told("warn", remade)[0]).toMatchObject({ topic: topics.config.name });
  });

  test("is read from its start although an old position was committed to it", async () => {
    await using topics = await makeTopics();
    await topics.send(values("old", 10));
    const go = Promise.withResolvers<void>();
    const handling = Promise.withResolvers<void>();
    {
      await using consumer = await running(topics, createLogLines(), async (text) => {
        if (text !== "old9") return;
        handling.resolve();
        await go.promise;
      });
      await handling.promise;
      await makeAgain(topics);
      await topics.send(values("new", 25));
      go.resolve();
      // Before the change is noticed, or there is none such: then the next lines prove nothing.
      await until(async () => ((await consumer.committed()) ?? 0) > 0);
    }
    const log = createLogLines();
    await using next = await running(topics, log);
    await until(() => texts("new", 25).every((text) => next.handled.includes(text)));
    await until(async () => (await next.committed()) === 25);
  });

  test("is no other topic for what another program has committed to it", async () => {
    await using topics = await makeTopics();
    await topics.send(values("new", 10));
    {
      const properties = { "group.id": topics.config.group };
      await using other = await openRaw(topics.config.brokers.join(","), properties);
      other.client.assign([{ topic: topics.config.name, partition: 0 }]);
      other.client.commitSync({ topic: topics.config.name, partition: 0, offset: 7 });
    }
    const log = createLogLines();
    await using next = await running(topics, log);
    await until(async () => (await next.committed()) === 10);
    expect(next.handled).toEqual(texts("new", 10).slice(7));
    expect(log.told("warn", remade)).toEqual([]);
  });

  test("does not keep a drain from ending: the end is that of the new one", async () => {
    await using topics = await makeTopics();
    await topics.send(values("old", 100));
    const handled: string[] = [];
    let again: Promise<void> | undefined;
    await using consumer = await openConsumer(topics.config, {
      ...options,
      drain: true,
      batchRecords: 10,
    });
    await consumer.batches(async (records) => {
      again ??= makeAgain(topics).then(() => topics.send(values("new", 5)));
      await again;
      handled.push(...records.map((record) => String(record.value)));
    }, never);
    expect(handled).toEqual(expect.arrayContaining(texts("new", 5)));
  });
});

describe("a topic that is gone", () => {
  test("is made again by one of those that run, which says so; the others go on", async () => {
    const log = createLogLines();
    // What this sends with is one of them.
    await using topics = await makeTopics({ partitions: 2 }, log);
    await topics.send(values("old", 10));
    await using consumer = await running(topics, log);
    await until(() => consumer.handled.length === 10);
    await drop(topics);
    const gone = "the topic was gone and is made again, empty";
    await until(() => log.told("warn", gone).length > 0);
    expect(log.told("warn", gone)).toEqual([{ message: gone, topic: topics.config.name }]);
    await topics.send(values("new", 3));
    await until(() => texts("new", 3).every((text) => consumer.handled.includes(text)));
  });
});

describe("records that expired before they were consumed", () => {
  test("are told of when a partition is assigned, with their number", async () => {
    await using topics = await makeTopics();
    await topics.send(values("r", 20));
    {
      const other = await running(topics, createLogLines());
      await until(async () => (await other.committed()) === 20);
      await other[Symbol.asyncDispose]();
    }
    await topics.send(values("s", 20));
    await keepFrom(topics, 33);
    const log = createLogLines();
    await using consumer = await running(topics, log);
    await until(() => consumer.handled.length === 7);
    expect(log.told("warn", expired)).toMatchObject([{ partition: 0, records: 13 }]);
  });

  test("are told of while running, with their number", async () => {
    await using topics = await makeTopics();
    const log = createLogLines();
    const go = Promise.withResolvers<void>();
    let atWork = 0;
    await using consumer = await running(topics, log, async () => {
      atWork += 1;
      await go.promise;
    });
    // Without a backlog nothing more is read while two batches are handled.
    await topics.send(values("q", 1));
    await until(() => atWork === 1);
    await topics.send(values("r", 1));
    await until(() => atWork === 2);
    // Long enough for it to fetch nothing more.
    const paused = performance.now() + 3000;
    await until(() => performance.now() > paused);
    await topics.send(values("s", 20));
    await keepFrom(topics, 21);
    go.resolve();
    await until(() => consumer.handled.includes("s19"));
    await until(() => log.told("warn", expired).length > 0);
    expect(log.told("warn", expired)).toMatchObject([{ partition: 0, records: 19 }]);
  });

  test("are not those of which a transaction's marker took the place", async () => {
    await using topics = await makeTopics();
    const log = createLogLines();
    await using consumer = await running(topics, log);
    for (const text of ["a", "b"])
      await topics.sendInTransaction([{ partition: 0, value: Buffer.from(text) }]);
    await until(() => consumer.handled.length === 2);
    await until(async () => (await consumer.committed()) === 4);
    expect(log.told("warn")).toEqual([]);
  });
});

describe("partitions that are added", () => {
  test("are written and read by those that run, within a minute", async () => {
    await using topics = await makeTopics();
    await using consumer = await running(topics, createLogLines());
    await topics.send(values("first", 1));
    await until(() => consumer.handled.length === 1);
    await admin(topics, (client, done) =>
      client.createPartitions(topics.config.name, 3, 30_000, done),
    );
    let sent = 0;
    const written = async () => {
      const keyed = values("later", 10).map((record) => ({ ...record, key: `k${sent++}` }));
      await topics.send(keyed);
      const marks = [...(await topics.reader.watermarks(topics.config.name)).values()];
      return marks.length === 3 && marks.every(({ high }) => high > 0);
    };
    await until(written, { timeoutMs: 60_000, what: "all partitions are written to" });
    await until(() => consumer.handled.length === sent + 1, { timeoutMs: 60_000 });
  });
});
