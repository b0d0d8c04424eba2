import type { Config } from "../config.ts";
import { type ReceivedRecord, wholeHeader } from "../domain/event.ts";
import {
  attemptsOf,
  isPlace,
  type LetterOrigin,
  letterHeaders,
  replayHeaders,
  withoutHeaders,
} from "../domain/letter.ts";
import { PipelineError } from "../errors.ts";
import type { DeadLetter, DeadLetters } from "../flow/topic-to-sink.ts";
import type { OutgoingRecord } from "./blocks.ts";
import { maxDeadLetterBytes, type TopicOptions } from "./kafka.ts";
import { openSender } from "./producer.ts";

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

/** What a letter says of itself: no record's own headers of these names are kept. */
export const reservedHeaders: readonly string[] = [
  ...Object.values(letterHeaders),
  ...Object.values(replayHeaders),
];

/**
 * The record that a dead letter is about; a letter of another writer, without our headers, is its
 * own.
 */
export function letterOrigin(record: ReceivedRecord): LetterOrigin {
  const raw = wholeHeader(record, "raw") ?? null;
  const attempts = attemptsOf(record) ?? 1;
  const timestampMs = wholeHeader(record, replayHeaders.timestamp) ?? record.timestampMs;
  const told = {
    topic: record.headers[letterHeaders.topic]?.toString() ?? "",
    partition: wholeHeader(record, letterHeaders.partition) ?? -1,
    offset: wholeHeader(record, letterHeaders.offset) ?? -1,
  };
  const { topic, partition, offset } = isPlace(told) ? told : record;
  return { topic, partition, offset, timestampMs, attempts, raw };
}

/**
 * A record can be larger here than it was on its way, where it is compressed. Then the letter says
 * why and where the original is, without its value.
 */
function bareLetterRecord(letter: DeadLetter): OutgoingRecord {
  const bytes = letter.record.value?.length ?? 0;
  const { topic, partition, offset, timestampMs } = letter.record;
  const place = { topic, partition, offset, timestampMs, key: letter.record.key };
  const bare = { ...letter, record: { ...place, value: null, headers: {} } };
  const { key, headers } = letterRecord(bare);
  const small = key !== null && key.length <= 1000 ? key : null;
  return {
    key: small,
    value: null,
    headers: [...headers, { [letterHeaders.bytes]: String(bytes) }],
  };
}

function letterRecord({ record, attempts, stage, rejection }: DeadLetter): OutgoingRecord {
  const { timestampMs } = record;
  return {
    key: record.key,
    value: record.value,
    headers: [
      ...Object.entries(withoutHeaders(record.headers, reservedHeaders)).map(([name, value]) => ({
        [name]: value,
      })),
      { [letterHeaders.topic]: record.topic },
      { [letterHeaders.partition]: String(record.partition) },
      { [letterHeaders.offset]: String(record.offset) },
      { [letterHeaders.stage]: stage },
      { [letterHeaders.message]: rejection.reason },
      { [letterHeaders.path]: rejection.path },
      { [replayHeaders.attempts]: String(attempts) },
      ...(timestampMs < 0 ? [] : [{ [replayHeaders.timestamp]: String(timestampMs) }]),
    ],
  };
}
