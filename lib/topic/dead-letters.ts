import type { Config } from "../config.ts";
import { PipelineError } from "../errors.ts";
import type { DeadLetter, DeadLetters } from "../flow/topic-to-sink.ts";
import { maxDeadLetterBytes, type TopicOptions } from "./kafka.ts";
import { type OutgoingRecord, openSender } from "./producer.ts";

/**
 * The dead-letter topic. A letter is the record as it was, with headers named as Kafka Connect names
 * them; its origin (topic, partition, offset) is its identity, so one written twice counts once.
 */
export async function openDeadLetters(
  config: Config["topic"],
  options: TopicOptions,
): Promise<DeadLetters & AsyncDisposable> {
  const sender = await openSender(config, {
    ...options,
    topic: config.deadLetters,
    maxBytes: maxDeadLetterBytes,
  });
  return {
    put: async (letters) => {
      const [refused] = await sender.send(letters.map(letterRecord));
      if (refused)
        throw new PipelineError("unavailable", `dead letter: ${refused.rejection.reason}`);
    },
    [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
  };
}

/** The header names of Kafka Connect's dead-letter queue. */
export const letterHeaders = {
  topic: "__connect.errors.topic",
  partition: "__connect.errors.partition",
  offset: "__connect.errors.offset",
  stage: "__connect.errors.stage",
  message: "__connect.errors.exception.message",
  path: "errors.path",
} as const;

function letterRecord({ record, stage, rejection }: DeadLetter): OutgoingRecord {
  return {
    key: record.key,
    value: record.value,
    headers: [
      ...Object.entries(record.headers)
        .filter(([name]) => !Object.values<string>(letterHeaders).includes(name))
        .map(([name, value]) => ({ [name]: value })),
      { [letterHeaders.topic]: record.topic },
      { [letterHeaders.partition]: String(record.partition) },
      { [letterHeaders.offset]: String(record.offset) },
      { [letterHeaders.stage]: stage },
      { [letterHeaders.message]: rejection.reason },
      { [letterHeaders.path]: rejection.path },
    ],
  };
}
