import type { Producer as KafkaProducer } from "@confluentinc/kafka-javascript";
import type { Refused } from "../flow/raw-to-topic.ts";
import { type Batches, nativeClient } from "../native/batches.ts";
import { type OutgoingRecord, packed } from "./blocks.ts";
import { clientError, kafkaError, recordCodes } from "./kafka.ts";

export interface Outcome {
  /** Refused for good, each by itself. */
  readonly refused: Refused[];
  /** Refused by the broker together with others. */
  readonly doubted: readonly Refused[];
}

/**
 * Sends records together: one call into the client, not one for each record, its headers and its
 * report. Resolves when all are settled; rejects if the fate of any is unknown.
 */
export async function sendBatch(
  batches: Batches,
  producer: KafkaProducer,
  topic: string,
  records: readonly OutgoingRecord[],
): Promise<Outcome> {
  const { count, lengths, bytes } = packed(records);
  const failures = await new Promise<readonly number[]>((resolve) => {
    batches.sendBatch(nativeClient(producer), topic, count, lengths, bytes, resolve);
  });
  const refused: Refused[] = [];
  const doubted: Refused[] = [];
  for (let at = 0; at < failures.length; at += 3) {
    const [index = 0, code = 0, byBroker = 0] = failures.slice(at, at + 3);
    const error = clientError(batches, code);
    if (!recordCodes.includes(code)) throw kafkaError("publish", error);
    const rejection = { path: "", reason: `record: ${error.message}` };
    (byBroker === 1 ? doubted : refused).push({ index, rejection });
  }
  return { refused, doubted };
}
