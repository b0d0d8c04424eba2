import { beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { openTopic } from "../../kafka-clients.ts";
import type { ProcessSize } from "../../process-size.ts";
import { resultOf, runProgram } from "../../programs.ts";
import { testKafka } from "../../servers.ts";

setDefaultTimeout(180_000);

/** TEST_SOAK_MESSAGES=5000000 for the long form. */
const messages = Number(process.env.TEST_SOAK_MESSAGES ?? 1_000_000);
/** What a loaded machine needs; the long form takes minutes. */
const timeoutMs = 120_000 + messages / 10;

let brokers: string;
beforeAll(async () => {
  brokers = await testKafka();
});

test(
  `${messages} records through producer and consumer: none lost, none twice, and memory as after a fifth`,
  async () => {
    const config = { "retention.bytes": "1000000000" };
    await using topic = await openTopic(brokers, { partitions: 3, config });
    const ended = await runProgram("soak.ts", [brokers, topic.name, `${messages}`], { timeoutMs });
    const result = resultOf<{ sizes: number[]; seconds: number }>(ended);
    console.log(JSON.stringify(result));
    expect(result).toMatchObject({ received: messages, wrong: 0, opaquesRight: true });
    const [early = 0, ...later] = result.sizes;
    expect(later.length).toBe(4);
    expect(Math.max(...later) / early).toBeLessThan(1.1);
  },
  timeoutMs,
);

test("200 connections of a producer and a consumer leave no memory, thread or file behind", async () => {
  await using topic = await openTopic(brokers);
  const ended = await runProgram("cycles.ts", [brokers, topic.name, "200"]);
  const [early, late] = resultOf<ProcessSize[]>(ended);
  console.log(JSON.stringify([early, late]));
  expect(late?.threads).toBeLessThanOrEqual((early?.threads ?? 0) + 2);
  expect(late?.files).toBeLessThanOrEqual((early?.files ?? 0) + 2);
  expect((late?.mb ?? 0) / (early?.mb ?? 1)).toBeLessThan(1.15);
});
