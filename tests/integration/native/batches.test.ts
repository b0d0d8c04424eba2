import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ProducerGlobalConfig, ProducerTopicConfig } from "@confluentinc/kafka-javascript";
import { type Batches, loadBatches, nativeClient } from "../../../lib/native/batches.ts";
import { loadKafkaClient } from "../../../lib/native/load.ts";
import { type OutgoingRecord, packed, unpacked } from "../../../lib/topic/blocks.ts";
import { call, openConsumer, openTopic } from "../../kafka-clients.ts";
import { testKafka } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

let brokers: string;
let batches: Batches;
beforeAll(async () => {
  brokers = await testKafka();
  batches = await loadBatches();
});

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

function record(over: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { key: "key", value: Buffer.from("value"), headers: [], ...over };
}

/** A producer whose reports come to batches. */
async function openBatchProducer(
  topic: string,
  config: ProducerGlobalConfig & ProducerTopicConfig = {},
) {
  const { Producer } = await loadKafkaClient();
  const client = new Producer({ "bootstrap.servers": brokers, ...config });
  batches.batchReports(nativeClient(client));
  await call((done) => client.connect({ topic, timeout: 30_000 }, done));
  client.setPollInBackground(true);
  return {
    client,
    send: (records: readonly OutgoingRecord[]) =>
      new Promise<readonly number[]>((resolve) => {
        const { count, lengths, bytes } = packed(records);
        batches.sendBatch(nativeClient(client), topic, count, lengths, bytes, resolve);
      }),
    [Symbol.asyncDispose]: async () => {
      await call((done) => client.disconnect(done));
    },
  };
}

/** All records of a topic of one partition, received in batches of at most `most`. */
async function received(topic: string, count: number, most = 1000) {
  await using consumer = await openConsumer(brokers, { "enable.partition.eof": true });
  consumer.client.assign([{ topic, partition: 0, offset: 0 }]);
  const records: ReturnType<typeof unpacked> = [];
  const sizes: number[] = [];
  let end = -1;
  while (records.length < count || end < 0) {
    const got = await new Promise<ReturnType<typeof unpacked>>((resolve, reject) =>
      batches.receiveBatch(nativeClient(consumer.client), most, 1000, (code, ...rest) => {
        const [numbers, bytes, ends] = rest;
        if (code !== 0) reject(new Error(`code ${code}`));
        if (ends.length > 0) end = ends.at(-1) ?? -1;
        resolve(unpacked(topic, numbers, bytes));
      }),
    );
    if (got.length > 0) sizes.push(got.length);
    records.push(...got);
  }
  return { records, sizes, end };
}

describe("a batch", () => {
  test("arrives as it was sent, in its order, with its end", async () => {
    await using topic = await openTopic(brokers);
    const sent = [
      record({ key: null, value: null }),
      record({ key: "", value: Buffer.alloc(0) }),
      record({ key: everyByte, value: everyByte, headers: [{ all: everyByte }, { none: "" }] }),
      record({ key: "Ærø 🙂", headers: [{ größe: "ä" }, { twice: "1" }, { other: "o" }] }),
    ];
    {
      await using producer = await openBatchProducer(topic.name);
      expect(await producer.send(sent)).toEqual([]);
    }
    const { records, end } = await received(topic.name, sent.length);
    expect(records.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual([
      { key: null, value: null, headers: {} },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: {} },
      { key: everyByte, value: everyByte, headers: { all: everyByte, none: Buffer.alloc(0) } },
      {
        key: Buffer.from("Ærø 🙂"),
        value: Buffer.from("value"),
        headers: { größe: Buffer.from("ä"), twice: Buffer.from("1"), other: Buffer.from("o") },
      },
    ]);
    expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    expect(records.every(({ timestampMs }) => timestampMs > 1_700_000_000_000)).toBe(true);
    expect(end).toBe(4);
  });

  test("larger than the client's queue waits for room, and is received in parts", async () => {
    await using topic = await openTopic(brokers);
    const sent = Array.from({ length: 5000 }, (_, at) => record({ key: String(at) }));
    await using producer = await openBatchProducer(topic.name, {
      "queue.buffering.max.messages": 100,
    });
    expect(await producer.send(sent)).toEqual([]);
    const { records, sizes } = await received(topic.name, sent.length, 700);
    expect(records.map(({ key }) => String(key))).toEqual(sent.map(({ key }) => String(key)));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(700);
  });

  test("names each record that fails, with librdkafka's code and who refused it", async () => {
    await using topic = await openTopic(brokers, { config: { "max.message.bytes": "2000" } });
    await using producer = await openBatchProducer(topic.name, { "message.max.bytes": 10_000 });
    const tooLarge = 10;
    const sized = (bytes: number) => record({ value: Buffer.alloc(bytes, "x") });
    expect(await producer.send([record(), sized(20_000), record()])).toEqual([1, tooLarge, 0]);
    expect(await producer.send([sized(5000)])).toEqual([0, tooLarge, 1]);
  });

  test("of a client that is closed fails, and does not wait", async () => {
    await using topic = await openTopic(brokers);
    const producer = await openBatchProducer(topic.name);
    await producer[Symbol.asyncDispose]();
    const state = -172;
    expect(await producer.send([record(), record()])).toEqual([0, state, 0, 1, state, 0]);
  });

  test("on its way to nowhere is done when it is purged", async () => {
    await using producer = await openBatchProducer("there-is-no-such-topic", {
      "message.timeout.ms": 60_000,
    });
    const sent = producer.send([record(), record()]);
    let done = false;
    void sent.then(() => {
      done = true;
    });
    await until(() => {
      batches.purgeBatches(nativeClient(producer.client));
      return done;
    });
    const purged = -152;
    expect(await sent).toEqual([0, purged, 1, 1, purged, 1]);
  });

  test("whose lists do not fit together is refused, and what fits is sent", async () => {
    await using topic = await openTopic(brokers);
    await using producer = await openBatchProducer(topic.name);
    const { lengths, bytes } = packed([record()]);
    const native = nativeClient(producer.client);
    const send = (count: number, from: Float64Array, block: Buffer) =>
      new Promise<readonly number[]>((resolve) =>
        batches.sendBatch(native, topic.name, count, from, block, resolve),
      );
    const invalid = -186;
    expect(await send(2, lengths, bytes)).toEqual([1, invalid, 0]);
    expect(await send(1, lengths, bytes.subarray(1))).toEqual([0, invalid, 0]);
    expect(() => batches.sendBatch(native, topic.name, 0, lengths, bytes, () => {})).toThrow(
      TypeError,
    );
    expect(() => batches.sendBatch({}, topic.name, 1, lengths, bytes, () => {})).toThrow();
  });
});

test("receiving from a client that is closed gives its code", async () => {
  const consumer = await openConsumer(brokers);
  await consumer[Symbol.asyncDispose]();
  const code = await new Promise<number>((resolve) =>
    batches.receiveBatch(nativeClient(consumer.client), 10, 100, resolve),
  );
  expect(code).toBe(-172);
});
