import { expect, test } from "bun:test";
import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { Batches } from "../../../lib/native/batches.ts";
import { codes, kafkaCode } from "../../../lib/topic/kafka.ts";
import { poll } from "../../../lib/topic/messages.ts";
import { failureOf } from "../../failure.ts";

/** A client that has so many records of no bytes at hand, and then fails. */
function failing(records: number) {
  const numbers = new Float64Array(records * 64);
  const batches = {
    err2str: () => "failed for good",
    receiveBatch: (...args: readonly unknown[]) => {
      const done = args.at(-1) as (...given: readonly unknown[]) => void;
      done(codes.fatal, numbers, new Uint8Array(), new Float64Array());
    },
  } as unknown as Batches;
  const heard: (number | undefined)[] = [];
  const options = { topic: "users", most: 9, timeoutMs: 1 };
  const onError = (error: Error) => void heard.push(kafkaCode(error));
  const consumer = { getClient: () => ({}) } as unknown as KafkaConsumer;
  return { heard, polling: () => poll(batches, consumer, { ...options, onError }) };
}

test("an error where there are no records is thrown, and told", async () => {
  const { heard, polling } = failing(0);
  expect(kafkaCode(await failureOf(polling()))).toBe(codes.fatal);
  expect(heard).toEqual([codes.fatal]);
});

test("an error that comes after records is told, since it is said once", async () => {
  const { heard, polling } = failing(1);
  await polling().catch(() => {});
  expect(heard).toEqual([codes.fatal]);
});
