import type { DeleteRecordsResult } from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import { type ReceivedRecord, wholeHeader } from "../domain/event.ts";
import { letterHeaders, withoutHeaders } from "../domain/letter.ts";
import type { LetterTopic, StoredLetter } from "../flow/letters.ts";
import { loadKafkaClient } from "../native/load.ts";
import { letterOrigin, reservedHeaders } from "./dead-letters.ts";
import {
  called,
  clientProperties,
  configured,
  ensureTopics,
  kafkaError,
  maxDeadLetterBytes,
  type TopicOptions,
} from "./kafka.ts";
import { openSender, type Sender } from "./producer.ts";
import type { Reader } from "./reader.ts";

const requestMs = 10_000;

/** The dead-letter topic as a place to look into, and to delete from. */
export function letterTopic(
  reader: Reader,
  config: Config["topic"],
  { signal }: TopicOptions,
): LetterTopic {
  return {
    read: async function* () {
      for await (const records of reader.read(config.deadLetters)) yield records.map(storedLetter);
    },
    deleteBefore: async (offsets) => {
      const kafka = await loadKafkaClient();
      const admin = configured(() => kafka.AdminClient.create(clientProperties(config, {})));
      const before = [...offsets].map(([partition, offset]) => ({
        ...{ topic: config.deadLetters, partition, offset },
      }));
      const times = { timeout: requestMs, operationTimeout: requestMs };
      const what = `delete purged letters from ${config.deadLetters}`;
      try {
        const deleted = await called<DeleteRecordsResult[]>(
          what,
          (done) => admin.deleteRecords(before, times, done),
          signal,
        );
        for (const { error } of deleted) if (error) throw kafkaError(what, error);
      } finally {
        admin.disconnect();
      }
    },
  };
}

/**
 * Sends records to the users' topic, also those that are just as large as it takes: compressed,
 * they have room for the headers of a replay. Creates the topics; waits for Kafka.
 */
export async function openReplay(config: Config["topic"], options: TopicOptions): Promise<Sender> {
  await ensureTopics(config, options);
  return openSender(config, { ...options, topic: config.name, maxBytes: maxDeadLetterBytes });
}

/** What a record of the dead-letter topic says. */
export function storedLetter(letter: ReceivedRecord): StoredLetter {
  const { topic, partition, offset, timestampMs, ...origin } = letterOrigin(letter);
  const text = (name: string) => letter.headers[name]?.toString() ?? "";
  return {
    origin: { topic, partition, offset, timestampMs, ...origin },
    at: { partition: letter.partition, offset: letter.offset, timestampMs: letter.timestampMs },
    stage: text(letterHeaders.stage),
    path: text(letterHeaders.path),
    reason: text(letterHeaders.message),
    record: {
      ...{ topic, partition, offset, timestampMs, key: letter.key, value: letter.value },
      headers: withoutHeaders(letter.headers, reservedHeaders),
    },
    leftOutBytes: wholeHeader(letter, letterHeaders.bytes) ?? null,
  };
}
