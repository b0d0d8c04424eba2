import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Message } from "@confluentinc/kafka-javascript";
import {
  type Consumer,
  call,
  openConsumer,
  openProducer,
  openTopic,
  type TestTopic,
  uniqueName,
} from "../../kafka-clients.ts";
import { testKafka } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

const perPartition = 500;
let brokers: string;
let topic: TestTopic;

beforeAll(async () => {
  brokers = await testKafka();
  topic = await openTopic(brokers, { partitions: 2 });
  await using producer = await openProducer(brokers);
  const records = [0, 1].flatMap((partition) =>
    Array.from({ length: perPartition }, (_, i) => ({ partition, value: Buffer.from(String(i)) })),
  );
  await producer.send(topic.name, records);
});
afterAll(() => topic[Symbol.asyncDispose]());

const valuesOf = (records: readonly Message[], partition: number) =>
  records.filter((record) => record.partition === partition).map(({ value }) => Number(value));
const inOrder = Array.from({ length: perPartition }, (_, i) => i);

describe("reading", () => {
  test("consume(n) gives at most n, in the order of each partition, then none", async () => {
    await using consumer = await openConsumer(brokers);
    consumer.client.assign(
      [0, 1].map((partition) => ({ topic: topic.name, partition, offset: 0 })),
    );
    const first = await call<Message[]>((done) => consumer.client.consume(7, done));
    expect(first.length).toBeLessThanOrEqual(7);
    const all = [...first, ...(await consumer.take(2 * perPartition - first.length))];
    expect([0, 1].map((partition) => valuesOf(all, partition))).toEqual([inOrder, inOrder]);
    expect(await call<Message[]>((done) => consumer.client.consume(10, done))).toEqual([]);
  });

  test("flowing mode gives every record as an event", async () => {
    await using consumer = await openConsumer(brokers);
    const records: Message[] = [];
    consumer.client.on("data", (record) => records.push(record));
    consumer.client.subscribe([topic.name]);
    consumer.client.consume();
    await until(() => records.length >= 2 * perPartition);
    expect([0, 1].map((partition) => valuesOf(records, partition))).toEqual([inOrder, inOrder]);
  });

  test("a subscription by pattern finds the topic", async () => {
    await using consumer = await openConsumer(brokers);
    consumer.client.subscribe([new RegExp(`^${topic.name}$`)]);
    expect((await consumer.take(2 * perPartition)).length).toBe(2 * perPartition);
  });

  test("the end of a partition is an event when asked for", async () => {
    await using consumer = await openConsumer(brokers, { "enable.partition.eof": true });
    const ends: unknown[] = [];
    consumer.client.on("partition.eof", (end) => ends.push(end));
    consumer.client.assign([{ topic: topic.name, partition: 1, offset: perPartition - 1 }]);
    expect((await consumer.take(1)).length).toBe(1);
    await until(async () => {
      if (ends.length === 0) await call((done) => consumer.client.consume(1, done));
      return ends.length > 0;
    });
    expect(ends[0]).toMatchObject({ topic: topic.name, partition: 1, offset: perPartition });
  });

  test("seek goes back, position tells where, pause holds one partition and resume lets it go", async () => {
    await using consumer = await openConsumer(brokers);
    const { client } = consumer;
    const [zero, one] = [0, 1].map((partition) => ({ topic: topic.name, partition }));
    if (!zero || !one) throw new Error("unreachable");
    client.assign([{ ...zero, offset: perPartition - 5 }]);
    expect(valuesOf(await consumer.take(5), 0)).toEqual(inOrder.slice(-5));
    expect(client.position([zero])).toMatchObject([{ ...zero, offset: perPartition }]);
    await call((done) => client.seek({ ...zero, offset: 3 }, 30_000, done as () => void));
    expect(valuesOf(await consumer.take(1), 0)).toEqual([3]);

    client.assign([zero, one].map((it) => ({ ...it, offset: 0 })));
    client.pause([zero]);
    const others = await consumer.take(perPartition);
    expect(new Set(others.map(({ partition }) => partition))).toEqual(new Set([1]));
    client.resume([zero]);
    expect(valuesOf(await consumer.take(perPartition), 0)).toEqual(inOrder);
  });

  test("what a group committed is what its next member starts from", async () => {
    const config = { "group.id": uniqueName("group") };
    const at = { topic: topic.name, partition: 0 };
    const committedBy = (client: Consumer) =>
      call<unknown[]>((done) => client.committed([at], 30_000, done));
    {
      await using consumer = await openConsumer(brokers, config);
      consumer.client.assign([{ ...at, offset: 0 }]);
      const [record] = await consumer.take(1);
      if (!record) throw new Error("no record");
      consumer.client.commitMessageSync(record);
      expect(await committedBy(consumer.client)).toMatchObject([{ ...at, offset: 1 }]);
      consumer.client.commitSync([{ ...at, offset: 100, metadata: "märk" }]);
      expect(await committedBy(consumer.client)).toMatchObject([
        { ...at, offset: 100, metadata: "märk" },
      ]);
    }
    const commits: unknown[] = [];
    await using consumer = await openConsumer(brokers, {
      ...config,
      offset_commit_cb: (error: unknown, offsets: unknown) => commits.push([error, offsets]),
    });
    consumer.client.assign([at]);
    expect(valuesOf(await consumer.take(1), 0)).toEqual([100]);
    consumer.client.commit({ ...at, offset: 101 });
    await until(async () => {
      if (commits.length === 0) await call((done) => consumer.client.consume(1, done));
      return commits.length > 0;
    });
    expect(commits).toMatchObject([[undefined, [{ ...at, offset: 101 }]]]);
  });

  test("offsets by time and the ends of a partition", async () => {
    await using consumer = await openConsumer(brokers);
    const { client } = consumer;
    const ends = await call((done) => client.queryWatermarkOffsets(topic.name, 0, 30_000, done));
    expect(ends).toEqual({ lowOffset: 0, highOffset: perPartition });
    const since = [{ topic: topic.name, partition: 0, offset: Date.now() - 3_600_000 }];
    const found = await call((done) => client.offsetsForTimes(since, 30_000, done));
    expect(found).toMatchObject([{ partition: 0, offset: 0 }]);
  });
});

describe("members of a group", () => {
  const assigned = (client: Consumer) => client.assignments().length;
  /** Keeps both polling, as a member must, until the condition holds. */
  async function pollUntil(members: readonly { client: Consumer }[], condition: () => boolean) {
    await until(async () => {
      if (condition()) return true;
      await Promise.all(members.map(({ client }) => call((done) => client.consume(1, done))));
      return condition();
    });
  }

  for (const strategy of ["range", "cooperative-sticky"]) {
    test(`${strategy}: two share the partitions, and one takes over when the other leaves`, async () => {
      const cooperative = strategy === "cooperative-sticky";
      const events: string[] = [];
      const member = (name: string) =>
        openConsumer(brokers, {
          ...group,
          rebalance_cb(this: Consumer, { code }: { code: number }, partitions: unknown[]) {
            const assign = code === -175; // ERR__ASSIGN_PARTITIONS
            events.push(`${name} ${assign ? "+" : "-"}${partitions.length}`);
            if (cooperative && assign) this.incrementalAssign(partitions);
            else if (cooperative) this.incrementalUnassign(partitions);
            else if (assign) this.assign(partitions as never);
            else this.unassign();
          },
        });
      const group = {
        "group.id": uniqueName("group"),
        "partition.assignment.strategy": strategy,
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 500,
      };
      await using a = await member("a");
      a.client.subscribe([topic.name]);
      await pollUntil([a], () => assigned(a.client) === 2);
      expect(a.client.rebalanceProtocol()).toBe(cooperative ? "COOPERATIVE" : "EAGER");
      {
        await using b = await member("b");
        b.client.subscribe([topic.name]);
        await pollUntil([a, b], () => assigned(a.client) === 1 && assigned(b.client) === 1);
      }
      await pollUntil([a], () => assigned(a.client) === 2);
      // A cooperative member hears of each round, also of one in which it neither gets nor gives.
      const moves = (name: string) => events.filter((it) => it.startsWith(name) && !/0$/.test(it));
      expect(moves("a")).toEqual(
        cooperative ? ["a +2", "a -1", "a +1"] : ["a +2", "a -2", "a +1", "a -1", "a +2"],
      );
      expect(moves("b")).toEqual(["b +1", "b -1"]);
    });
  }
});
