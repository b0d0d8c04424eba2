import type { Producer as KafkaProducer } from "@confluentinc/kafka-javascript";
import type { Refused } from "../flow/raw-to-topic.ts";
import { sleep } from "../sleep.ts";
import { codes, kafkaCode, kafkaError, recordCodes } from "./kafka.ts";
import type { OutgoingRecord } from "./producer.ts";

/** A full queue is tried again after this. */
const fullMs = 5;

/**
 * Records sent together. The client names a record by its number, which costs less than an object
 * each.
 */
export interface Batch {
  readonly first: number;
  readonly count: number;
  /** One record is acknowledged, or is not: with the client's error. */
  settle(number: number, error: unknown, by: "client" | "broker"): void;
  /** Resolves when all are settled; rejects if the fate of any is unknown. */
  readonly outcome: Promise<Outcome>;
}

export interface Outcome {
  /** Refused for good, each by itself. */
  readonly refused: Refused[];
  /** Refused by the broker together with others. */
  readonly doubted: readonly Refused[];
}

export function createBatch(first: number, count: number): Batch {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const refused: Refused[] = [];
  const doubted: Refused[] = [];
  let left = count;
  let failure: unknown;
  return {
    first,
    count,
    outcome: promise,
    settle: (number, error, by) => {
      const code = kafkaCode(error);
      if (code !== undefined && recordCodes.includes(code)) {
        const reason = `record: ${error instanceof Error ? error.message : code}`;
        const record = { index: number - first, rejection: { path: "", reason } };
        (by === "client" ? refused : doubted).push(record);
      } else if (error) {
        failure ??= error;
      }
      left -= 1;
      if (left > 0) return;
      if (failure) reject(kafkaError("publish", failure));
      else resolve({ refused, doubted });
    },
  };
}

/** A report of the client: goes to the batch of that record, if it is still waited for. */
export function settle(waiting: readonly Batch[], number: number, error: unknown): void {
  for (const batch of waiting) {
    if (number >= batch.first && number < batch.first + batch.count) {
      batch.settle(number, error, "broker");
      return;
    }
  }
}

/**
 * Hands all records to the client. What it will not take at once counts as settled: waited for,
 * refused or failed.
 */
export async function enqueue(
  producer: KafkaProducer,
  topic: string,
  records: readonly OutgoingRecord[],
  { batch, signal }: { readonly batch: Batch; readonly signal: AbortSignal },
): Promise<void> {
  let number = batch.first;
  for (const { key, value, headers } of records) {
    for (;;) {
      try {
        // The client does not change the list of headers, its types do not say so.
        producer.produce(topic, -1, value, key, null, number, headers as Record<string, string>[]);
        break;
      } catch (error) {
        // A full queue is waited for, but not by one who is asked to stop.
        if (kafkaCode(error) !== codes.queueFull || signal.aborted) {
          batch.settle(number, error, "client");
          break;
        }
        await sleep(fullMs);
      }
    }
    number += 1;
  }
}
