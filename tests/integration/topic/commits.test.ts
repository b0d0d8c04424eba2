import { expect, setDefaultTimeout, test } from "bun:test";
import { silentLog as log } from "../../../lib/log.ts";
import { createCommits } from "../../../lib/topic/commits.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { createOffsets } from "../../../lib/topic/offsets.ts";
import { call, openConsumer as openRaw } from "../../kafka-clients.ts";
import { createLogLines } from "../../log-lines.ts";
import { makeTopics } from "../../topics.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(240_000);

test("a commit that is refused for one of its partitions counts for none, and is sent again", async () => {
  await using topics = await makeTopics();
  const { brokers, group, name: topic } = topics.config;
  const properties = { "group.id": group, offset_commit_cb: true } as const;
  await using raw = await openRaw(brokers.join(","), properties);
  const start = { topic, offset: 0, topicId: "id" };
  const offsets = createOffsets(topic);
  // There is no partition 9.
  offsets.assigned([0, 9].map((partition) => ({ ...start, partition })));
  for (const partition of [0, 9]) offsets.end(partition, 1);
  offsets.reachedEnds();
  raw.client.assign([{ topic, partition: 0 }]);
  const lines = createLogLines();
  const commits = createCommits(offsets, lines);
  commits.follow(raw.client);
  const refused = () => lines.told("debug", "offsets not committed, trying again").length;
  const answered = (times: number) =>
    until(async () => {
      await call((done) => raw.client.consume(1, done));
      return refused() === times;
    });

  commits.send(raw.client);
  await answered(1);
  expect(offsets.uncommitted().map(({ partition }) => partition)).toEqual([0, 9]);
  commits.send(raw.client);
  await answered(2);
});

test("a member that another one of its name has put out makes a new client, and goes on", async () => {
  await using topics = await makeTopics({ properties: { "group.instance.id": "one" } });
  const { brokers, group, name: topic } = topics.config;
  const stop = new AbortController();
  const handled: string[] = [];
  const send = (text: string) => topics.send([{ value: Buffer.from(text) }]);
  await using consumer = await openConsumer(topics.config, { log, signal: never });
  const running = consumer.batches(async (records) => {
    handled.push(...records.map(({ value }) => String(value)));
  }, stop.signal);
  await send("before");
  await until(() => handled.includes("before"));

  const same = {
    ...{ "group.id": group, "group.instance.id": "one", "session.timeout.ms": 10_000 },
    "partition.assignment.strategy": "cooperative-sticky",
  };
  await using other = await openRaw(brokers.join(","), same);
  other.client.subscribe([topic]);
  // It is put out in its turn, and then it is heard no more.
  const isOut = async () => {
    const polled = call((done) => other.client.consume(1, done));
    return await polled.then(
      () => false,
      (error: unknown) => error instanceof Error && Reflect.get(error, "code") === -150,
    );
  };
  await until(isOut);
  await send("after");
  await until(() => handled.includes("after"));
  stop.abort();
  await running;
});
