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
  const block = { topic, numbers, bytes, names: createNames(bytes) };
  let at = 0;
  let start = 0;
  const skip = (length = 0) => {
    start += Math.max(0, length);
  };
  while (at < numbers.length) {
    records.push(new BlockRecord(block, at, start));
    skip(numbers[at + 3]);
    skip(numbers[at + 4]);
    const headers = numbers[at + 5] ?? 0;
    at += 6;
    for (const end = at + 2 * headers; at < end; at++) skip(numbers[at]);
  }
  return records;
}

interface ReceivedBlock extends Pick<Block, "bytes"> {
  readonly topic: string;
  /** Of each record partition, offset, time, and the lengths of a `Block`. */
  readonly numbers: Float64Array;
  readonly names: Names;
}

/** Names of headers, the same for most records: made into texts once. */
interface Names {
  /** The text from `start` to `end`; `index` says where it is among a record's headers. */
  at(index: number, start: number, end: number): string;
}

function createNames(bytes: Buffer): Names {
  const known: { start: number; end: number; text: string }[] = [];
  const same = (a: number, b: number, length: number) => {
    for (let at = 0; at < length; at++) if (bytes[a + at] !== bytes[b + at]) return false;
    return true;
  };
  return {
    at: (index, start, end) => {
      const last = known[index];
      if (last && last.end - last.start === end - start && same(last.start, start, end - start)) {
        return last.text;
      }
      const text = bytes.toString("utf8", start, end);
      known[index] = { start, end, text };
      return text;
    },
  };
}

/**
 * A record by its place in a block. A class for its getters: most readers want neither its key nor
 * each header, and making those of every record took longer than all of librdkafka's work on it.
 */
class BlockRecord implements ReceivedRecord {
  readonly #block: ReceivedBlock;
  readonly #at: number;
  readonly #start: number;
  #headers: ReceivedRecord["headers"] | undefined;

  constructor(block: ReceivedBlock, at: number, start: number) {
    this.#block = block;
    this.#at = at;
    this.#start = start;
  }
  get topic(): string {
    return this.#block.topic;
  }
  get partition(): number {
    return this.#number(0);
  }
  get offset(): number {
    return this.#number(1);
  }
  get timestampMs(): number {
    return this.#number(2);
  }
  get key(): Buffer | null {
    return this.#part(this.#start, this.#number(3));
  }
  get value(): Buffer | null {
    return this.#part(this.#start + Math.max(0, this.#number(3)), this.#number(4));
  }
  get headers(): ReceivedRecord["headers"] {
    this.#headers ??= this.#readHeaders();
    return this.#headers;
  }

  #number(index: number): number {
    return this.#block.numbers[this.#at + index] ?? -1;
  }
  #part(start: number, length: number): Buffer | null {
    return length < 0 ? null : this.#block.bytes.subarray(start, start + length);
  }
  #readHeaders(): ReceivedRecord["headers"] {
    const headers: Record<string, Buffer> = {};
    let start = this.#start + Math.max(0, this.#number(3)) + Math.max(0, this.#number(4));
    const end = 6 + 2 * this.#number(5);
    for (let index = 6; index < end; index += 2) {
      const [name, content] = [this.#number(index), this.#number(index + 1)];
      const value = this.#part(start + name, content);
      if (value) headers[this.#block.names.at(index, start, start + name)] = value;
      start += name + Math.max(0, content);
    }
    return headers;
  }
}
