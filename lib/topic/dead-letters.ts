import type { Config } from "../config.ts";
import { type ReceivedRecord, wholeHeader } from "../domain/event.ts";
import { PipelineError } from "../errors.ts";
import type { DeadLetter, DeadLetters } from "../flow/topic-to-sink.ts";
import type { Letter } from "../flow/verify.ts";
import { maxDeadLetterBytes, type TopicOptions } from "./kafka.ts";
import { type OutgoingRecord, openSender } from "./producer.ts";

/**
 * The dead-letter topic. A letter is the record as it was, with headers named as Kafka Connect
 * names them; its origin (topic, partition, offset) is its identity, so one written twice counts
 * once.
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
      const tooLarge = await sender.send(letters.map(letterRecord));
      const bare = tooLarge.flatMap(({ index }) => letters[index] ?? []).map(bareLetterRecord);
      const [refused] = await sender.send(bare);
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
  /** Only where the value had to be left out: how large it is. */
  bytes: "errors.value.bytes",
} as const;

/**
 * The record that a dead letter is about; a letter of another writer, without our headers, is its
 * own.
 */
export function letterOrigin(record: ReceivedRecord): Letter {
  const raw = wholeHeader(record, "raw") ?? null;
  const topic = record.headers[letterHeaders.topic]?.toString();
  const partition = wholeHeader(record, letterHeaders.partition);
  const offset = wholeHeader(record, letterHeaders.offset);
  return topic !== undefined && partition !== undefined && offset !== undefined
    ? { topic, partition, offset, raw }
    : { topic: record.topic, partition: record.partition, offset: record.offset, raw };
}

/**
 * A record can be larger here than it was on its way, where it is compressed. Then the letter says
 * why and where the original is, without its value.
 */
function bareLetterRecord(letter: DeadLetter): OutgoingRecord {
  const bytes = letter.record.value?.length ?? 0;
  const { key, headers } = letterRecord({ ...letter, record: { ...letter.record, headers: {} } });
  const small = key !== null && key.length <= 1000 ? key : null;
  return {
    key: small,
    value: null,
    headers: [...headers, { [letterHeaders.bytes]: String(bytes) }],
  };
}

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
