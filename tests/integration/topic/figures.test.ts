import { expect, setDefaultTimeout, test } from "bun:test";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { watchTopics } from "../../../lib/topic/figures.ts";
import { makeTopics } from "../../topics.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const options = { log, signal: never };

test("the figures of the topics are what they hold, and how far the group has come", async () => {
  await using topics = await makeTopics({ partitions: 2 });
  await using watch = watchTopics(topics.config, options);
  expect(await watch.figures()).toEqual({
    topic: { records: 0, deadLetters: 0 },
    table: { consumed: 0, lag: 0 },
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
  expect(await watch.figures()).toEqual({
    topic: { records: 7, deadLetters: 0 },
    table: { consumed: 5, lag: 2 },
    written: 7,
    consumers: [],
  });
});
