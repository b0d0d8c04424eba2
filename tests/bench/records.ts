import { type Event, encode, type VersionedUser } from "../../lib/domain/event.ts";
import { parseUser } from "../../lib/domain/user.ts";
import { users } from "../users.ts";

/**
 * The records that both sides of a comparison send, in a file that both can read: for each one its
 * key, its value and its headers, every part with its length before it, and before the headers how
 * many there are (32 bits each, little-endian).
 */
export interface RecordsOptions {
  readonly count: number;
  /** Values of exactly this size, by a longer address. By default users as they are: some 400 bytes. */
  readonly valueBytes?: number;
}

/** Users that differ; the stand-in of the API makes a page of them, and each gets an id of its own. */
export async function writeRecords(
  path: string,
  { count, valueBytes }: RecordsOptions,
): Promise<void> {
  const base = users(Math.min(count, 5000), "bench");
  const writer = Bun.file(path).writer({ highWaterMark: 2 ** 20 });
  for (let at = 0; at < count; at++) {
    const user = base[at % base.length];
    if (user === undefined) break;
    const id = at.toString(16).padStart(8, "0") + user.id.slice(8);
    const row = { user: { ...user, id }, version: firstVersion + at };
    const origin = { run: 1, raw: at + 1 };
    const event = encode(row, origin);
    writer.write(
      bytesOf(
        valueBytes === undefined
          ? event
          : encode(padded(row, valueBytes - Buffer.byteLength(event.value)), origin),
      ),
    );
    if (at % 1000 === 0) await writer.flush();
  }
  await writer.end();
}

const firstVersion = 1_700_000_000_000_000;

function padded({ user, version }: VersionedUser, bytes: number): VersionedUser {
  return { user: { ...user, address: user.address + "x".repeat(Math.max(0, bytes)) }, version };
}

function bytesOf({ key, value, headers }: Event): Buffer {
  const parts = [part(Buffer.from(key)), part(Buffer.from(value)), number(headers.length)];
  for (const header of headers) {
    for (const [name, text] of Object.entries(header)) {
      parts.push(part(Buffer.from(name)), part(Buffer.from(text)));
    }
  }
  return Buffer.concat(parts);
}

function part(bytes: Buffer): Buffer {
  return Buffer.concat([number(bytes.length), bytes]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** The file's records as the producer takes them. */
export async function readRecords(path: string): Promise<Event[]> {
  const file = Buffer.from(await Bun.file(path).arrayBuffer());
  const events: Event[] = [];
  let at = 0;
  const whole = () => {
    at += 4;
    return file.readUInt32LE(at - 4);
  };
  const bytes = () => {
    const length = whole();
    at += length;
    return file.subarray(at - length, at);
  };
  while (at < file.length) {
    const key = bytes().toString();
    const value = bytes().toString();
    const headers = Array.from({ length: whole() }, () => ({
      [bytes().toString()]: bytes().toString(),
    }));
    events.push({ key, value, headers });
  }
  return events;
}

/** The file's records as the table's writer takes them. */
export async function readRows(path: string): Promise<VersionedUser[]> {
  return (await readRecords(path)).map(({ value, headers }) => {
    const judged = parseUser(JSON.parse(value));
    if ("rejection" in judged) throw new Error(judged.rejection.reason);
    return { user: judged.user, version: Number(headers[0]?.version) };
  });
}
