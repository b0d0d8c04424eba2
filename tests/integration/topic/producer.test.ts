import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ReceivedRecord } from "../../../lib/domain/event.ts";
import { decode, encode, wholeHeader } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openProducer, openSender } from "../../../lib/topic/producer.ts";
import { openReader } from "../../../lib/topic/reader.ts";
import { publisherContract } from "../../contracts/publisher.ts";
import { failureOf } from "../../failure.ts";
import { call, openAdmin } from "../../kafka-clients.ts";
import { openTopics, type TestTopics } from "../../stations.ts";
import { never, rows } from "../../users.ts";

setDefaultTimeout(180_000);

const options = { log, signal: never };

async function open(places: Parameters<typeof openTopics>[0] = {}) {
  await using opening = new AsyncDisposableStack();
  const topics: TestTopics = opening.use(await openTopics(places));
  const publisher = opening.use(await openProducer(topics.config, options));
  const owned = opening.move();
  const records = async () => {
    await using reader = await openReader(topics.config, options);
    return (await Array.fromAsync(reader.read(topics.config.name))).flat();
  };
  return {
    config: topics.config,
    publisher,
    records,
    values: async () => (await records()).map(({ value }) => JSON.parse(String(value))),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

publisherContract("the producer of Kafka", () => open({ partitions: 3 }));

describe("a record", () => {
  test("is on the topic with its key and headers, in the partition that Java would choose", async () => {
    await using it = await open({ partitions: 7 });
    const all = rows(50);
    await it.publisher.publish(all.map((row, raw) => encode(row, { run: 3, raw })));
    const found = await it.records();
    expect(found).toHaveLength(50);
    for (const record of found) {
      const decoded = decode(record, Date.now());
      if ("rejection" in decoded) throw new Error(decoded.rejection.reason);
      const raw = wholeHeader(record, "raw") ?? -1;
      expect(decoded).toEqual(all[raw] ?? decoded);
      expect(String(record.key)).toBe(decoded.user.id);
      expect(Object.keys(record.headers)).toEqual(["version", "format", "run", "raw"]);
      expect(wholeHeader(record, "run")).toBe(3);
      expect(record.partition).toBe(partitionInJava(decoded.user.id, 7));
      expect(Math.abs(record.timestampMs - Date.now())).toBeLessThan(600_000);
    }
    // So that one key in the wrong place would be seen.
    expect(new Set(found.map(({ partition }) => partition)).size).toBe(7);
  });

  test("of one key comes after those sent before it", async () => {
    await using it = await open({ partitions: 3 });
    const [row] = rows(1);
    if (!row) throw new Error("no row");
    const events = Array.from({ length: 500 }, (_, raw) => encode(row, { run: 1, raw }));
    await Promise.all([
      it.publisher.publish(events.slice(0, 250)),
      it.publisher.publish(events.slice(250)),
    ]);
    const raws = (await it.records()).map((record) => wholeHeader(record, "raw"));
    expect(raws).toEqual(events.map((_, raw) => raw));
  });

  test("may have any bytes as key, value and headers, or none", async () => {
    await using it = await open();
    await using sender = await openSender(it.config, { ...options, topic: it.config.name });
    const bytes = Buffer.from([0, 255, 10, 13, 39, 34]);
    expect(
      await sender.send([
        { key: bytes, value: bytes, headers: [{ "'); drop": bytes }, { lines: "a\r\nb" }] },
        { key: null, value: null, headers: [] },
        { key: "", value: Buffer.alloc(0), headers: [{ empty: "" }] },
      ]),
    ).toEqual([]);
    const shape = ({ key, value, headers }: ReceivedRecord) => ({ key, value, headers });
    expect((await it.records()).map(shape)).toEqual([
      { key: bytes, value: bytes, headers: { "'); drop": bytes, lines: Buffer.from("a\r\nb") } },
      { key: null, value: null, headers: {} },
      { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { empty: Buffer.alloc(0) } },
    ]);
  });

  test("does not hold up more than the client's queue takes: it waits", async () => {
    await using it = await open({ partitions: 3 });
    await using sender = await openSender(it.config, { ...options, topic: it.config.name });
    const headers = [] as const;
    const count = 120_000;
    const record = { key: null, value: Buffer.from("x"), headers };
    expect(await sender.send(Array.from({ length: count }, () => record))).toEqual([]);
    await using reader = await openReader(it.config, options);
    const marks = [...(await reader.watermarks(it.config.name)).values()];
    expect(marks.reduce((sum, { low, high }) => sum + high - low, 0)).toBe(count);
  });
});

describe("a producer", () => {
  test("makes the topic and the dead-letter topic, which keeps for ever and takes twice the size", async () => {
    await using it = await open({ partitions: 3 });
    await using _ = await openProducer(it.config, options);
    await using reader = await openReader(it.config, options);
    expect((await reader.watermarks(it.config.name)).size).toBe(3);
    expect((await reader.watermarks(it.config.deadLetters)).size).toBe(3);
    await using letters = await openSender(it.config, {
      ...options,
      topic: it.config.deadLetters,
      maxBytes: 2_097_152,
    });
    const value = Buffer.alloc(2_000_000);
    // Random bytes: what compresses well is never too large for the broker.
    crypto.getRandomValues(new Uint8Array(value.buffer, value.byteOffset, 65_536));
    for (let at = 65_536; at < value.length; at += 65_536)
      crypto.getRandomValues(
        new Uint8Array(value.buffer, value.byteOffset + at, Math.min(65_536, value.length - at)),
      );
    expect(await letters.send([{ key: null, value, headers: [] }])).toEqual([]);
  });

  test("tells a property that the client does not know as wrong usage", async () => {
    await using topics = await openTopics({ properties: { "no.such.property": "1" } });
    const error = await failureOf(openProducer(topics.config, options));
    expect(error).toMatchObject({ name: "PipelineError", code: "usage" });
    expect(error.message).toContain("no.such.property");
  });

  test("has its neighbours on the topic when the topic takes less than the client, and refuses one record", async () => {
    await using topics = await openTopics();
    using admin = await openAdmin(topics.config.brokers.join(","));
    const small = {
      ...{ topic: topics.config.name, num_partitions: 1, replication_factor: 1 },
      config: { "max.message.bytes": "5000" },
    };
    await call((done) => admin.client.createTopic(small, 30_000, done as () => void));
    await using sender = await openSender(topics.config, { ...options, topic: topics.config.name });
    const record = (length: number) => {
      const value = Buffer.from(crypto.getRandomValues(new Uint8Array(length)));
      return { key: null, value, headers: [] };
    };
    const refused = await sender.send([
      ...Array.from({ length: 30 }, () => record(300)),
      record(9000),
    ]);
    expect(refused.map(({ index }) => index)).toEqual([30]);
  });

  test("is closed twice without harm", async () => {
    await using topics = await openTopics();
    const publisher = await openProducer(topics.config, options);
    await publisher[Symbol.asyncDispose]();
    await publisher[Symbol.asyncDispose]();
  });
});

/** Java's DefaultPartitioner: murmur2 of the key's bytes, without the sign, by the number of partitions. */
function partitionInJava(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

function murmur2(data: Buffer): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(data.readInt32LE(at), m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  const rest = data.subarray(whole);
  for (const [at, byte] of [...rest.entries()].reverse()) h ^= byte << (8 * at);
  if (rest.length > 0) h = Math.imul(h, m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
