import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { MessageHeader } from "@confluentinc/kafka-javascript";
import {
  openConsumer,
  openProducer,
  openTopic,
  type Sent,
  type TestProducer,
} from "../../kafka-clients.ts";
import { testKafka } from "../../servers.ts";

setDefaultTimeout(180_000);

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
/** Every code unit from 0 to 255, so also the zero that ends a C string; 384 bytes as UTF-8. */
const everyLatin = everyByte.toString("latin1");

let brokers: string;
beforeAll(async () => {
  brokers = await testKafka();
});

/** Sends records to a topic of their own and reads them back. */
async function roundTrip(records: readonly Sent[], config = {}) {
  await using topic = await openTopic(brokers);
  await using producer = await openProducer(brokers, config);
  const reports = await producer.send(topic.name, records);
  await using consumer = await openConsumer(brokers);
  consumer.client.assign([{ topic: topic.name, partition: 0, offset: 0 }]);
  return { topic: topic.name, reports, received: await consumer.take(records.length) };
}

describe("what is sent arrives as it was", () => {
  test("a record with all of its parts", async () => {
    const timestamp = Date.now() - 1000;
    const { topic, received } = await roundTrip([
      { value: Buffer.from("value"), key: "key", timestamp, headers: [{ name: "text" }] },
    ]);
    expect(received).toEqual([
      {
        topic,
        partition: 0,
        offset: 0,
        timestamp,
        size: 5,
        leaderEpoch: 0,
        key: Buffer.from("key"),
        value: Buffer.from("value"),
        headers: [{ name: Buffer.from("text") }],
      },
    ]);
  });

  test("no key, no value, and empty ones", async () => {
    const { received } = await roundTrip([
      { key: null, value: null },
      { value: null },
      { key: "", value: Buffer.alloc(0) },
      { key: Buffer.alloc(0), value: Buffer.alloc(0) },
    ]);
    expect(received.map(({ key }) => key)).toEqual([null, null, Buffer.alloc(0), Buffer.alloc(0)]);
    expect(received.map(({ value }) => value)).toEqual([
      null,
      null,
      Buffer.alloc(0),
      Buffer.alloc(0),
    ]);
  });

  test("every byte, as a buffer and as a string, in key, value and headers", async () => {
    const { received } = await roundTrip([
      { key: everyByte, value: everyByte, headers: [{ bytes: everyByte }] },
      { key: everyLatin, headers: [{ text: everyLatin }] },
    ]);
    expect(received[0]?.key).toEqual(everyByte);
    expect(received[0]?.value).toEqual(everyByte);
    expect(received[0]?.headers).toEqual([{ bytes: everyByte }]);
    expect(String(received[1]?.key)).toBe(everyLatin);
    expect(String(received[1]?.headers?.[0]?.text)).toBe(everyLatin);
  });

  test("keys and header names beyond ASCII, also longer than any buffer on the stack", async () => {
    const keys = ["ключ", "鍵", "🔑", "é".repeat(255), "é".repeat(256), "😀z".repeat(3000)];
    const { received } = await roundTrip(
      keys.map((key) => ({ key, headers: [{ [`h-${key}`.slice(0, 300)]: key }] })),
    );
    expect(received.map(({ key }) => String(key))).toEqual(keys);
    for (const [i, { headers }] of received.entries()) {
      const key = keys[i] ?? "";
      const [[name, value] = []] = Object.entries(headers?.[0] ?? {});
      expect(name).toBe(Buffer.from(`h-${key}`.slice(0, 300)).toString());
      expect(String(value)).toBe(key);
    }
  });

  test("headers: none, many, one name twice, an empty value, names that mean something in JavaScript", async () => {
    const many = Array.from({ length: 40 }, (_, i) => ({ [`name${i}`]: `value${i}` }));
    const odd: MessageHeader[] = [
      { same: "1" },
      { same: Buffer.from("2") },
      { empty: "" },
      { constructor: "c" } as unknown as MessageHeader,
      JSON.parse('{"__proto__":"p"}'),
    ];
    const { received } = await roundTrip([
      {},
      { headers: [] },
      { headers: many },
      { headers: odd },
    ]);
    expect(received[0]?.headers).toBeUndefined();
    expect(received[1]?.headers ?? []).toEqual([]);
    const plain = (headers: MessageHeader[] = []) =>
      headers.flatMap((header) =>
        Object.entries(header).map(([name, value]) => [name, String(value)]),
      );
    expect(plain(received[2]?.headers)).toEqual(plain(many));
    expect(plain(received[3]?.headers)).toEqual(plain(odd));
    expect(Object.getPrototypeOf(received[3]?.headers?.[4])).toBe(Object.prototype);
  });

  test("values from one byte to a megabyte, and a view into a larger buffer", async () => {
    const large = Buffer.alloc(1_000_000, everyByte);
    const values = [Buffer.from([0]), large.subarray(3, 900), large];
    const { received } = await roundTrip(
      values.map((value) => ({ value })),
      { "message.max.bytes": 2_000_000 },
    );
    expect(received.map(({ value }) => value && Bun.hash(value))).toEqual(
      values.map((value) => Bun.hash(value)),
    );
  });
});

describe("delivery reports", () => {
  test("tell where each record went, and return its opaque as it was given", async () => {
    const opaques: unknown[] = [
      { some: "object" },
      () => 1,
      [1],
      "text",
      "",
      42,
      -0.5,
      true,
      false,
      null,
      10n,
      Symbol("s"),
    ];
    const { topic, reports } = await roundTrip(
      opaques.map((opaque, i) => ({ key: `k${i}`, value: Buffer.from("v"), opaque })),
    );
    expect(reports.map(({ offset }) => offset)).toEqual(opaques.map((_, i) => i));
    for (const [i, report] of reports.entries()) {
      expect(report).toMatchObject({ topic, partition: 0, size: 1, key: Buffer.from(`k${i}`) });
      expect(report.value).toBeUndefined();
      expect(report.opaque).toBe(opaques[i]);
    }
  });

  test("have no opaque when none was given, and the value when asked for it", async () => {
    const { reports } = await roundTrip([{ value: Buffer.from("v") }, {}], { dr_msg_cb: true });
    expect(reports.map((report) => "opaque" in report)).toEqual([false, false]);
    expect(reports.map(({ value }) => value)).toEqual([Buffer.from("v"), null]);
  });

  test("come for each of many records once, on all partitions", async () => {
    await using topic = await openTopic(brokers, { partitions: 3 });
    await using producer: TestProducer = await openProducer(brokers);
    const records = Array.from({ length: 20_000 }, (_, i) => ({
      partition: -1,
      key: `k${i}`,
      value: Buffer.from(String(i)),
      opaque: i,
    }));
    const reports = await producer.send(topic.name, records);
    const opaques = reports.map(({ opaque }) => Number(opaque)).sort((a, b) => a - b);
    expect(opaques).toEqual(records.map(({ opaque }) => opaque));
    expect(new Set(reports.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
  });
});
