import type { ReceivedRecord } from "../domain/event.ts";

/** Records as one block of bytes and one list of lengths: how the client takes and gives batches. */

/** A record on its way out, to any topic. */
export interface OutgoingRecord {
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  /** One name and value each, in order. */
  readonly headers: readonly Readonly<Record<string, string | Buffer>>[];
}

export interface Block {
  readonly count: number;
  /** Of each record key, value and number of headers, of each header name and value; -1 is nothing. */
  readonly lengths: Float64Array;
  readonly bytes: Buffer;
}

export function packed(records: readonly OutgoingRecord[]): Block {
  const lengths: number[] = [];
  const bytes = Buffer.allocUnsafe(mostBytes(records));
  let end = 0;
  const add = (part: string | Buffer | null) => {
    if (part === null) return -1;
    const size = typeof part === "string" ? bytes.write(part, end) : part.copy(bytes, end);
    end += size;
    return size;
  };
  for (const { key, value, headers } of records) {
    lengths.push(add(key), add(value), headers.length);
    for (const header of headers) {
      for (const name in header) lengths.push(add(name), add(header[name] ?? null));
    }
  }
  return {
    count: records.length,
    lengths: Float64Array.from(lengths),
    bytes: bytes.subarray(0, end),
  };
}

/** A code unit of a string is at most three bytes of UTF-8. */
function mostBytes(records: readonly OutgoingRecord[]): number {
  const most = (part: string | Buffer | null | undefined) =>
    typeof part === "string" ? part.length * 3 : (part?.length ?? 0);
  let sum = 0;
  for (const { key, value, headers } of records) {
    sum += most(key) + most(value);
    for (const header of headers) {
      for (const name in header) sum += most(name) + most(header[name]);
    }
  }
  return sum;
}

/**
 * The records of a block that was received. Their bytes are parts of the block, not copies: a
 * record that is kept keeps its block.
 */
export function unpacked(topic: string, numbers: Float64Array, bytes: Buffer): ReceivedRecord[] {
  const records: ReceivedRecord[] = [];
  let at = 0;
  let start = 0;
  const next = () => numbers[at++] ?? -1;
  const take = (length: number) => {
    if (length < 0) return null;
    const part = bytes.subarray(start, start + length);
    start += length;
    return part;
  };
  while (at < numbers.length) {
    const partition = next();
    const offset = next();
    const timestampMs = next();
    const key = take(next());
    const value = take(next());
    const headers: Record<string, Buffer> = {};
    for (let left = next(); left > 0; left -= 1) {
      const name = take(next());
      const content = take(next());
      if (name !== null && content !== null) headers[name.toString()] = content;
    }
    records.push({ topic, partition, offset, timestampMs, key, value, headers });
  }
  return records;
}
