import { expect, setDefaultTimeout, test } from "bun:test";
import { encode } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openDeadLetters } from "../../../lib/topic/dead-letters.ts";
import { partitionOf } from "../../../lib/topic/partition.ts";
import { userRecords } from "../../../lib/topic/user-records.ts";
import { openConsumer } from "../../kafka-clients.ts";
import { makeTopics } from "../../topics.ts";
import { never, record, rows } from "../../users.ts";

setDefaultTimeout(240_000);

const now = () => Date.now();
const here = (fromMs: number | undefined) => ({ fromMs, everywhere: false });

test("records of a user are found where its key lies, from a time on", async () => {
  await using topics = await makeTopics({ partitions: 5 });
  const all = rows(60);
  const events = all.map((row, raw) => encode(row, { run: 1, raw }));
  await topics.send([...events, ...events.slice(7, 8)]);
  for (const { key, partition } of await topics.records()) {
    expect(partition).toBe(partitionOf(String(key), 5));
  }
  const { records } = userRecords(topics.reader, topics.config);
  const found = async (fromMs: number, id = events[7]?.key ?? "") =>
    (await Array.fromAsync(records(id, here(fromMs)))).flat();
  const own = await found(now());
  expect(own.map(({ headers }) => String(headers.raw))).toEqual(["7", "7"]);
  expect(own.every(({ value }) => String(value) === events[7]?.value)).toBe(true);
  // Later than any clock may be wrong.
  expect(await found(now() + 3_600_000)).toEqual([]);
  expect(await found(now(), crypto.randomUUID())).toEqual([]);
});

test("records in another partition than the key's are found when that is asked for", async () => {
  await using topics = await makeTopics({ partitions: 3 });
  const key = crypto.randomUUID();
  const other = (partitionOf(key, 3) + 1) % 3;
  await topics.sendInTransaction([{ key, partition: other, value: Buffer.from("x") }]);
  const { records } = userRecords(topics.reader, topics.config);
  const found = async (everywhere: boolean) =>
    (await Array.fromAsync(records(key, { fromMs: now(), everywhere }))).flat().length;
  expect([await found(false), await found(true)]).toEqual([0, 1]);
});

test("where no time is known, records are found that are not consumed", async () => {
  await using topics = await makeTopics();
  const { name: topic, group, brokers } = topics.config;
  const key = crypto.randomUUID();
  await topics.send(["consumed", "waiting"].map((text) => ({ key, value: text })));
  await using consumer = await openConsumer(brokers.join(","), { "group.id": group });
  consumer.client.commitSync([{ topic, partition: 0, offset: 1 }]);
  const { records, committed } = userRecords(topics.reader, topics.config);
  expect(await committed()).toEqual(new Map([[0, 1]]));
  const found = (await Array.fromAsync(records(key, here(undefined)))).flat();
  expect(found.map(({ value }) => String(value))).toEqual(["waiting"]);
});

test("dead letters of a user are found by its key", async () => {
  await using topics = await makeTopics({ partitions: 3 });
  await using deadLetters = await openDeadLetters(topics.config, { log, signal: never });
  const [key, other] = [crypto.randomUUID(), crypto.randomUUID()];
  const rejection = { path: "email", reason: "email: 5 is not text" };
  const headers = {
    raw: "8",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  };
  const letter = (key: string, offset: number) => ({
    record: record({ topic: topics.config.name, key, offset, value: {}, headers }),
    ...({ attempts: 1, stage: "decode", rejection } as const),
  });
  await deadLetters.put([letter(other, 1), letter(key, 2)]);
  const { letters } = userRecords(topics.reader, topics.config);
  for (const fromMs of [undefined, now()]) {
    const found = (await Array.fromAsync(letters(key, here(fromMs)))).flat();
    expect(found).toMatchObject([{ ...rejection, origin: { offset: 2, raw: 8 }, stage: "decode" }]);
    expect(String(found[0]?.record.headers.traceparent)).toBe(headers.traceparent);
  }
});
