import { createRequire } from "node:module";
import { addonPath, loadKafkaClient, unusable } from "./load.ts";

/**
 * Many records by one call into the addon, with the clients of the package: see src/batches.cc.
 * Lengths are of bytes that follow each other in one block; -1 is nothing at all.
 */
export interface Batches {
  /** Before the producer connects: from then on its delivery reports come to batches only. */
  batchReports(producer: unknown): void;
  /**
   * Hands records to the producer, waiting while its queue is full. `lengths` holds of each record
   * key, value and number of headers, and of each header name and value. Neither it nor `bytes` may
   * change until `done`, which is called when all are acknowledged or have failed, with three
   * numbers for each that failed: its index, librdkafka's code, and 1 if the broker refused it.
   */
  sendBatch(
    producer: unknown,
    topic: string,
    count: number,
    lengths: Float64Array,
    bytes: Buffer,
    done: (failures: readonly number[]) => void,
  ): void;
  /** What the producer has not acknowledged by now fails: else closing leaves its batches open. */
  purgeBatches(producer: unknown): void;
  /**
   * Waits for a record, then takes what is there, at most `most`. `numbers` holds of each record
   * partition, offset, time (-1: none), key, value and number of headers, and of each header name
   * and value; `ends` partition and offset of each end of a partition that was met. A code other
   * than 0 is librdkafka's, for an error after what was received.
   */
  receiveBatch(
    consumer: unknown,
    most: number,
    timeoutMs: number,
    done: (code: number, numbers: Float64Array, bytes: Buffer, ends: Float64Array) => void,
  ): void;
  /** What librdkafka says of one of its codes. */
  err2str(code: number): string;
}

/** The batches of the addon; throws as `loadKafkaClient` does. */
export async function loadBatches(): Promise<Batches> {
  await loadKafkaClient();
  const batches: Batches = createRequire(import.meta.url)(addonPath);
  if (typeof batches.sendBatch !== "function") throw unusable("is of an older version");
  return batches;
}

/** The addon's own object of a client of the package, which keeps it to itself. */
export function nativeClient(client: object): unknown {
  return Reflect.get(client, "_client");
}
