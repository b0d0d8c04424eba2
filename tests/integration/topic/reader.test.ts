import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { ensureTopics } from "../../../lib/topic/kafka.ts";
import { openReader } from "../../../lib/topic/reader.ts";
import { openProducer } from "../../kafka-clients.ts";
import { openTopics } from "../../stations.ts";
import { makeTopics } from "../../topics.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const options = { log, signal: never };
const value = (text: unknown) => ({ value: Buffer.from(String(text)) });

describe("topics", () => {
  test("are made with as many partitions as configured, and stay as they are", async () => {
    await using topics = await openTopics({ partitions: 4 });
    await ensureTopics(topics.config, options);
    await ensureTopics({ ...topics.config, partitions: 9 }, options);
    await using reader = await openReader(topics.config, options);
    expect((await reader.watermarks(topics.config.name)).size).toBe(4);
    expect((await reader.watermarks(topics.config.deadLetters)).size).toBe(4);
  });

  test("are made with the broker's clock: records of one that runs hours ahead are taken", async () => {
    await using topics = await makeTopics();
    const { name, deadLetters, brokers } = topics.config;
    await using producer = await openProducer(brokers.join(","));
    const ahead = Date.now() + 7_200_000;
    for (const topic of [name, deadLetters]) {
      await producer.send(topic, [{ value: Buffer.from("ahead"), timestamp: ahead }]);
      const [record] = await topics.records(topic);
      expect(record?.timestampMs).toBeLessThan(ahead - 3_600_000);
    }
  });

  test("may be made by many at once", async () => {
    await using topics = await openTopics({ partitions: 2 });
    await Promise.all([1, 2, 3].map(() => ensureTopics(topics.config, options)));
    await using reader = await openReader(topics.config, options);
    expect((await reader.watermarks(topics.config.name)).size).toBe(2);
  });

  test("that are not there are empty, until they are made", async () => {
    await using topics = await openTopics();
    await using reader = await openReader(topics.config, options);
    expect(await reader.watermarks(topics.config.name)).toEqual(new Map());
    expect(await reader.committed(topics.config.name)).toEqual(new Map());
    expect(await Array.fromAsync(reader.read(topics.config.name))).toEqual([]);
    await ensureTopics(topics.config, options);
    const marks = new Map([[0, { low: 0, high: 0 }]]);
    await until(async () => (await reader.watermarks(topics.config.name)).size > 0);
    expect(await reader.watermarks(topics.config.name)).toEqual(marks);
  });
});

describe("a reader", () => {
  test("reads all there is, to the end there was when it began, and again as often as asked", async () => {
    await using topics = await makeTopics({ partitions: 3 });
    await topics.send(Array.from({ length: 3000 }, (_, at) => ({ key: String(at), ...value(at) })));
    const seen: number[] = [];
    for await (const records of topics.reader.read(topics.config.name)) {
      if (seen.length === 0) await topics.send([value("later")]);
      seen.push(...records.map((record) => Number(record.value)));
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, at) => at));
    expect(await topics.records()).toHaveLength(3001);
  });

  test("begins where it is told to, and sees nothing at the end", async () => {
    await using topics = await makeTopics();
    await topics.send([value(0), value(1), value(2)]);
    const from = async (offset: number) => {
      const pages = topics.reader.read(topics.config.name, new Map([[0, offset]]));
      return (await Array.fromAsync(pages)).flat().map((record) => String(record.value));
    };
    expect(await from(1)).toEqual(["1", "2"]);
    expect(await from(3)).toEqual([]);
    expect(await from(99)).toEqual([]);
  });

  test("comes to an end where markers of transactions are the last, and sees no aborted record", async () => {
    await using topics = await makeTopics();
    await topics.sendInTransaction([{ partition: 0, ...value("a") }]);
    await topics.sendInTransaction([{ partition: 0, ...value("never") }], "abort");
    expect((await topics.records()).map((record) => String(record.value))).toEqual(["a"]);
  });

  test("tells what the group has committed, and commits nothing itself", async () => {
    await using topics = await makeTopics({ partitions: 2 });
    await topics.send([{ key: "a", ...value(1) }]);
    await topics.records();
    expect(await topics.reader.committed(topics.config.name)).toEqual(new Map());
    {
      await using consumer = await openConsumer(topics.config, { ...options, drain: true });
      await consumer.batches(async () => {}, never);
    }
    const committed = await topics.reader.committed(topics.config.name);
    expect([...committed.values()].filter((offset) => offset > 0)).toEqual([1]);
  });

  test("shows the last records as text", async () => {
    await using topics = await makeTopics();
    await topics.send(
      [0, 1, 2].map((at) => ({ key: `k${at}`, ...value(at), headers: [{ h: "x" }] })),
    );
    expect(await topics.reader.sample(topics.config.name, 2)).toEqual([
      { partition: 0, offset: 1, key: "k1", headers: { h: "x" }, value: "1" },
      { partition: 0, offset: 2, key: "k2", headers: { h: "x" }, value: "2" },
    ]);
  });
});
