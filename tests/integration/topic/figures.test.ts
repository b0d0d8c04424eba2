import { expect, setDefaultTimeout, test } from "bun:test";
import type { ConsumerFigures } from "../../../lib/domain/consumer-figures.ts";
import type { ReceivedRecord } from "../../../lib/domain/event.ts";
import { createConsumerFigures } from "../../../lib/flow/consumer-figures.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { watchTopics } from "../../../lib/topic/figures.ts";
import { createWaits } from "../../../lib/waits.ts";
import { makeTopics } from "../../topics.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const options = { log, signal: never };

test("the figures of the topics are what they hold, and how far the group has come", async () => {
  await using topics = await makeTopics({ partitions: 2 });
  await using watch = watchTopics(topics.config, options);
  expect(await watch.figures()).toEqual({
    topic: { records: 0, deadLetters: 0 },
    table: { consumed: 0, lag: 0 },
    partitions: [0, 1].map((partition) => ({ partition, end: 0, next: 0, lag: 0 })),
    written: 0,
    consumers: [],
  });
  const records = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ key: Buffer.from(String(n)) }));
  await topics.send(records(5));
  expect(await watch.figures()).toMatchObject({ table: { consumed: 0, lag: 5 }, written: 5 });
  {
    await using consumer = await openConsumer(topics.config, { ...options, drain: true });
    await consumer.batches(async () => {}, never);
  }
  await topics.send(records(2));
  const figures = await watch.figures();
  expect(figures).toMatchObject({
    topic: { records: 7, deadLetters: 0 },
    table: { consumed: 5, lag: 2 },
    written: 7,
    consumers: [],
  });
  const sum = (what: "end" | "next" | "lag") =>
    figures.partitions.reduce((sum, each) => sum + each[what], 0);
  expect(figures.partitions.map(({ partition }) => partition)).toEqual([0, 1]);
  expect([sum("end"), sum("next"), sum("lag")]).toEqual([7, 5, 2]);
  expect(figures.partitions.every(({ end, next, lag }) => lag === end - next)).toBe(true);
});

test("a consumer is heard of while it reads, while it waits and when nothing comes", async () => {
  await using topics = await makeTopics({ partitions: 2 });
  await using watch = watchTopics(topics.config, options);
  const { log: own, waits } = ownWaits();
  const now = () => new Date();
  const figures = createConsumerFigures({ worker: "one", log: own, now, memory: () => 1e8 });
  const says = figures.now;
  await using consumer = await openConsumer(topics.config, { ...options, says });
  const stop = new AbortController();
  const release = Promise.withResolvers<void>();
  const handle = async (records: readonly ReceivedRecord[]) => {
    const wait = waits.begin("the table", "no node answers – at all");
    await release.promise;
    wait.over();
    figures.add({
      ...{ records: records.length, rows: records.length, deadLetters: 0 },
      ...{ ms: { decode: 1, write: 2, deadLetters: 0 }, written: undefined },
    });
  };
  const running = consumer.batches(handle, stop.signal);
  const heard = async () => (await watch.figures()).consumers[0];
  await until(async () => (await heard())?.worker === "one");
  const idle = await heard();
  expect(idle).toMatchObject({ records: 0, waiting: null });
  await until(async () => (await heard())?.at !== idle?.at);
  await topics.send([{ key: Buffer.from("a") }]);
  const waiting = async () => (await heard())?.waiting?.reason;
  await until(async () => (await waiting()) === "no node answers – at all");
  // Saying so has not committed what is being written.
  expect((await watch.figures()).table).toEqual({ consumed: 0, lag: 1 });
  release.resolve();
  await until(async () => (await heard())?.rows === 1);
  expect((await watch.figures()).table).toEqual({ consumed: 1, lag: 0 });
  stop.abort();
  await running;

  // Who comes next hears of it.
  await consumer[Symbol.asyncDispose]();
  const told: ConsumerFigures[] = [];
  const heardOf = { ...options, heard: (said: ConsumerFigures) => void told.push(said) };
  await using other = await openConsumer(topics.config, heardOf);
  const again = new AbortController();
  const reading = other.batches(async () => {}, again.signal);
  await until(() => told.some(({ worker, rows }) => worker === "one" && rows === 1));
  again.abort();
  await reading;
});

function ownWaits() {
  const waits = createWaits();
  return { log: { waits, conceal: (text: string) => text }, waits };
}
