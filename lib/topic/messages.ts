import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { ReceivedRecord } from "../domain/event.ts";
import { type Batches, nativeClient } from "../native/batches.ts";
import { unpacked } from "./blocks.ts";
import { clientError, kafkaError } from "./kafka.ts";

export interface Polled {
  readonly records: readonly ReceivedRecord[];
  /** Where each partition ended whose end was met. */
  readonly ends: readonly { readonly partition: number; readonly offset: number }[];
}

export interface PollOptions {
  readonly topic: string;
  readonly most: number;
  /** How long to wait for the first record; what is there then is taken without waiting. */
  readonly timeoutMs: number;
  /** Told of an error, also of one that came after records, which are given nevertheless. */
  readonly onError?: (error: Error) => void;
}

/** Takes records of a client that reads one topic, many by one call. */
export function poll(
  batches: Batches,
  consumer: KafkaConsumer,
  { topic, most, timeoutMs, onError }: PollOptions,
): Promise<Polled> {
  return new Promise((resolve, reject) => {
    batches.receiveBatch(nativeClient(consumer), most, timeoutMs, (code, numbers, bytes, ends) => {
      const error = code === 0 ? undefined : kafkaError("poll", clientError(batches, code));
      if (error) onError?.(error);
      if (error && numbers.length === 0) return reject(error);
      const records = unpacked(topic, numbers, bytes);
      resolve({ records, ends: pairs(ends) });
    });
  });
}

function pairs(ends: Float64Array): Polled["ends"] {
  return Array.from({ length: ends.length / 2 }, (_, at) => ({
    partition: ends[2 * at] ?? 0,
    offset: ends[2 * at + 1] ?? 0,
  }));
}
