import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { KafkaJS } from "@confluentinc/kafka-javascript";
import { loadKafkaClient } from "../../../lib/native/load.ts";
import { failureOf, openTopic, uniqueName } from "../../kafka-clients.ts";
import { testKafka } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

/** KafkaJS's logLevel.NOTHING: an enum that is not there at run time under that name. */
const logLevel = 0;
let brokers: string;
let kafka: KafkaJS.Kafka;
beforeAll(async () => {
  brokers = await testKafka();
  const { KafkaJS } = await loadKafkaClient();
  kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [brokers], logLevel } });
});

interface Connects {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
}
async function connected<T extends Connects>(client: T): Promise<T & AsyncDisposable> {
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.disconnect() });
}
const openProducer = (kafkaJS: KafkaJS.ProducerConfig = {}) =>
  connected(kafka.producer({ kafkaJS }));
const openConsumer = (kafkaJS: Partial<KafkaJS.ConsumerConfig> = {}) =>
  connected(
    kafka.consumer({
      kafkaJS: { groupId: uniqueName("group"), fromBeginning: true, autoCommit: false, ...kafkaJS },
    }),
  );

const count = 2000;
/** New ones each time: send() changes the headers of those it is given. */
const messages = (length: number) =>
  Array.from({ length }, (_, i) => ({
    key: `k${i}`,
    value: JSON.stringify({ i }),
    headers: { text: "t", bytes: Buffer.from([0, 255]) },
  }));

describe("the interface in KafkaJS's style", () => {
  test("what producer.send sent, eachMessage and eachBatch receive", async () => {
    await using topic = await openTopic(brokers, { partitions: 3 });
    await using producer = await openProducer({ idempotent: true, acks: -1 });
    const sent = await producer.send({ topic: topic.name, messages: messages(count) });
    expect(sent.every(({ errorCode }) => errorCode === 0)).toBeTrue();

    const single = new Set<string>();
    await using one = await openConsumer();
    await one.subscribe({ topics: [topic.name] });
    await one.run({
      eachMessage: async ({ message }) => {
        expect(String(message.key)).toBe(`k${JSON.parse(String(message.value)).i}`);
        expect(message.headers).toEqual({ text: Buffer.from("t"), bytes: Buffer.from([0, 255]) });
        single.add(String(message.key));
      },
    });
    await until(() => single.size === count);

    const batched = new Set<string>();
    await using many = await openConsumer();
    await many.subscribe({ topics: [topic.name] });
    await many.run({
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        for (const { key } of batch.messages) batched.add(String(key));
      },
    });
    await until(() => batched.size === count);
  });

  test("a handler that throws gets the message again", async () => {
    await using topic = await openTopic(brokers);
    await using producer = await openProducer();
    await producer.send({ topic: topic.name, messages: messages(10) });
    const offsets: string[] = [];
    await using consumer = await openConsumer();
    await consumer.subscribe({ topics: [topic.name] });
    await consumer.run({
      eachMessage: async ({ message }) => {
        offsets.push(message.offset);
        if (offsets.length <= 2) throw new Error("no");
      },
    });
    await until(() => offsets.at(-1) === "9");
    expect(offsets.slice(0, 4)).toEqual(["0", "0", "0", "1"]);
  });

  test("the administration: topics, their offsets, groups and theirs", async () => {
    await using admin = await connected(kafka.admin());
    const topic = uniqueName("topic");
    const topics = [{ topic, numPartitions: 2, replicationFactor: 1 }];
    expect(await admin.createTopics({ topics })).toBeTrue();
    expect(await admin.createTopics({ topics })).toBeFalse();
    await using producer = await openProducer();
    await producer.send({ topic, messages: [{ value: "v", partition: 1 }] });
    expect(await admin.fetchTopicOffsets(topic)).toMatchObject([
      { partition: 0, offset: "0" },
      { partition: 1, offset: "1" },
    ]);
    const groupId = uniqueName("group");
    {
      await using consumer = await openConsumer({ groupId });
      let received = 0;
      await consumer.subscribe({ topics: [topic] });
      await consumer.run({ eachMessage: async () => void received++ });
      await until(() => received === 1);
      await consumer.commitOffsets([{ topic, partition: 1, offset: "1" }]);
    }
    expect(await admin.fetchOffsets({ groupId, topics: [topic] })).toMatchObject([
      { topic, partitions: [{ partition: 1, offset: "1" }] },
    ]);
    expect((await admin.describeGroups([groupId])).groups[0]).toMatchObject({ groupId });
    expect(await admin.deleteGroups([groupId])).toMatchObject([{ groupId, errorCode: 0 }]);
    await admin.deleteTopics({ topics: [topic] });
    await until(async () => !(await admin.listTopics()).includes(topic));
    expect(await failureOf(() => admin.fetchTopicOffsets(topic))).toMatchObject({
      type: "ERR_UNKNOWN_TOPIC_OR_PART",
    });
  });
});

describe("transactions", () => {
  const openTransactional = () =>
    openProducer({ transactionalId: uniqueName("tx"), idempotent: true, maxInFlightRequests: 1 });

  /** All values of a topic up to the one that ends it, as a reader of committed records sees them. */
  async function committedValues(topic: string): Promise<string[]> {
    const values: string[] = [];
    await using consumer = await openConsumer();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({
      eachMessage: async ({ message }) => void values.push(`${message.value}`),
    });
    await until(() => values.includes("end"));
    return values;
  }

  test("what is committed is read, what is aborted is not", async () => {
    await using topic = await openTopic(brokers);
    await using producer = await openTransactional();
    const send = async (value: string) => {
      const transaction = await producer.transaction();
      await transaction.send({ topic: topic.name, messages: [{ value }] });
      return transaction;
    };
    await (await send("committed")).commit();
    await (await send("aborted")).abort();
    await (await send("end")).commit();
    expect(await committedValues(topic.name)).toEqual(["committed", "end"]);
  });

  test("offsets of a consumer's group are committed with it", async () => {
    await using input = await openTopic(brokers);
    await using output = await openTopic(brokers);
    await using plain = await openProducer();
    await plain.send({ topic: input.name, messages: [{ value: "in" }] });
    const groupId = uniqueName("group");
    await using producer = await openTransactional();
    await using consumer = await openConsumer({ groupId });
    let moved = false;
    await consumer.subscribe({ topics: [input.name] });
    await consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const transaction = await producer.transaction();
        await transaction.send({ topic: output.name, messages: [{ value: "end" }] });
        const offset = String(Number(message.offset) + 1);
        const topics = [{ topic, partitions: [{ partition, offset }] }];
        await transaction.sendOffsets({ consumer, topics });
        await transaction.commit();
        moved = true;
      },
    });
    await until(() => moved);
    expect(await committedValues(output.name)).toEqual(["end"]);
    await using admin = await connected(kafka.admin());
    expect(await admin.fetchOffsets({ groupId, topics: [input.name] })).toMatchObject([
      { partitions: [{ partition: 0, offset: "1" }] },
    ]);
  });
});
