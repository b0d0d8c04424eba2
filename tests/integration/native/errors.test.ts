import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePorts } from "../../../lib/local/ports.ts";
import { type KafkaClient, loadKafkaClient } from "../../../lib/native/load.ts";
import {
  call,
  failureOf,
  openConsumer,
  openProducer,
  openTopic,
  uniqueName,
} from "../../kafka-clients.ts";
import { testKafka } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

let brokers: string;
let kafka: KafkaClient;
beforeAll(async () => {
  [brokers, kafka] = await Promise.all([testKafka(), loadKafkaClient()]);
});

const value = Buffer.from("v");

describe("what is wrong is an error with a code", () => {
  test("a setting that does not exist, and one with a wrong value", async () => {
    const producer = (config: object) => failureOf(() => new kafka.Producer(config).connect());
    expect((await producer({ "no.such": 1 })).message).toContain('property: "no.such"');
    expect((await producer({ acks: "banana" })).message).toContain("Invalid value");
    expect((await producer({ "linger.ms": -5 })).message).toContain("outside allowed");
  });

  test("a client that is not connected", async () => {
    const producer = new kafka.Producer({ "bootstrap.servers": brokers });
    expect((await failureOf(() => producer.produce("t", 0, value))).message).toContain("connected");
    const consumer = new kafka.KafkaConsumer({ "bootstrap.servers": brokers, "group.id": "g" });
    expect(await failureOf(() => consumer.subscribe(["t"]))).toMatchObject({ code: -172 });
    expect(await failureOf(() => consumer.commitSync([]))).toBeInstanceOf(Error);
    expect(await failureOf(() => call((done) => consumer.consume(1, done)))).toMatchObject({
      code: -172, // ERR__STATE
    });
  });

  test("no broker at the address", async () => {
    const [port] = freePorts(1);
    const producer = new kafka.Producer({ "bootstrap.servers": `127.0.0.1:${port}` });
    const failure = await failureOf(() => call((done) => producer.connect({ timeout: 500 }, done)));
    expect(failure).toMatchObject({ code: -195 }); // ERR__TRANSPORT
  });

  test("a topic that does not exist, for a producer and for a consumer", async () => {
    const missing = uniqueName("missing");
    // Until then it might still be made.
    const config = { "topic.metadata.propagation.max.ms": 500 };
    await using producer = await openProducer(brokers, config);
    const failure = await failureOf(() => producer.send(missing, [{ value }]));
    expect([3, -188]).toContain(failure.code ?? 0); // UNKNOWN_TOPIC_OR_PART, ours or the broker's
    await using consumer = await openConsumer(brokers, { "allow.auto.create.topics": false });
    consumer.client.subscribe([missing]);
    const told = failureOf(() =>
      until(async () => {
        await call((done) => consumer.client.consume(1, done));
        return false;
      }),
    );
    expect(await told).toMatchObject({ code: 3 });
  });

  test("a record that is too large, for the client and for the broker", async () => {
    await using topic = await openTopic(brokers, { config: { "max.message.bytes": "1000" } });
    await using producer = await openProducer(brokers);
    const send = (bytes: number) => producer.send(topic.name, [{ value: Buffer.alloc(bytes) }]);
    expect(await failureOf(() => send(5_000_000))).toMatchObject({ code: 10 }); // MSG_SIZE_TOO_LARGE
    expect(await failureOf(() => send(5000))).toMatchObject({ code: 10 });
    expect((await send(500)).length).toBe(1);
  });

  test("a full queue, which empties by itself", async () => {
    await using topic = await openTopic(brokers);
    await using producer = await openProducer(brokers, {
      "queue.buffering.max.messages": 100,
      "linger.ms": 50,
    });
    const produce = () => producer.client.produce(topic.name, 0, value);
    const failure = await failureOf(() => {
      for (let i = 0; i < 1000; i++) produce();
    });
    expect(failure).toMatchObject({ code: -184 }); // ERR__QUEUE_FULL
    await until(() => producer.reports.length === 100);
    produce();
    await until(() => producer.reports.length === 101);
  });

  test("a record whose header is refused is not sent", async () => {
    await using topic = await openTopic(brokers);
    await using producer = await openProducer(brokers);
    for (const headers of [[{ a: 5 }], [{}], [null], [{ ok: "1" }, { a: undefined }]]) {
      const produce = () =>
        producer.client.produce(topic.name, 0, value, null, null, undefined, headers as never);
      expect(await failureOf(produce)).toBeInstanceOf(Error);
    }
    const [report] = await producer.send(topic.name, [{ value }]);
    expect(report?.offset).toBe(0);
  });

  test("a partition that the topic does not have", async () => {
    await using topic = await openTopic(brokers);
    await using producer = await openProducer(brokers);
    await producer.send(topic.name, [{ value }]); // then its partitions are known
    const failure = await failureOf(() => producer.client.produce(topic.name, 5, value));
    expect(failure).toMatchObject({ code: -190 }); // ERR__UNKNOWN_PARTITION
  });
});
