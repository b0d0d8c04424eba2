import { createRequire } from "node:module";
import type { Client } from "cassandra-driver";
import type { VersionedUser } from "../domain/event.ts";
import type { User } from "../domain/user.ts";
import { columns } from "./schema.ts";

/*
 * The driver writes a batch as some two hundred small buffers that it joins, and looks each value's
 * type up: 8 µs a row of the 25 that a row costs the client, measured. Here a batch is written into
 * one buffer, which takes about one. Preparing, choosing the node, sending and preparing again
 * after a node has forgotten the statement stay the driver's: these are its inner parts, of the
 * very version that is pinned; a test holds the bytes to those that the driver would write.
 */
const driver = createRequire(import.meta.url);
const { BatchRequest } = driver("cassandra-driver/lib/requests.js");
const { DefaultExecutionOptions } = driver("cassandra-driver/lib/execution-options.js");
const PrepareHandler = driver("cassandra-driver/lib/prepare-handler.js");
const RequestHandler = driver("cassandra-driver/lib/request-handler.js");

const options = { prepare: true, logged: false, isIdempotent: true };

/**
 * Writes rows by one unlogged batch, through a node that owns the first of them. `query` has a
 * marker for each column, in the order of `columns`, and one for the version.
 */
export async function writeBatch(
  client: Client,
  query: string,
  rows: readonly VersionedUser[],
): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  await client.connect();
  const execution = DefaultExecutionOptions.create(
    { ...options, routingKey: uuidBytes(first.user.id) },
    client,
  );
  const { queryId, meta } = await PrepareHandler.getPrepared(
    client,
    execution.getLoadBalancingPolicy(),
    query,
    client.keyspace,
  );
  execution.setKeyspace(meta.keyspace);
  await RequestHandler.send(batchRequest(rows, queryId, execution), execution, client);
}

/** A request of the driver's that writes itself as `batchBytes`. */
export function batchRequest(
  rows: readonly VersionedUser[],
  queryId: Buffer,
  execution: { getConsistency(): number },
) {
  const request = new BatchRequest([], execution);
  request.write = (encoder: { protocolVersion: number }, streamId: number): Buffer => {
    const frame = batchBytes(rows, {
      ...{ queryId, streamId, version: encoder.protocolVersion },
      consistency: execution.getConsistency(),
    });
    request.length = frame.length - headerBytes;
    return frame;
  };
  return request;
}

export interface Frame {
  readonly queryId: Buffer;
  readonly streamId: number;
  /** Of the native protocol: 3 or 4. */
  readonly version: number;
  readonly consistency: number;
}

const headerBytes = 9;
const opcode = 0x0d;
const unlogged = 1;
const prepared = 1;
/** Above all, no write time for those statements that name none: ours do. */
const noFlags = 0;

/** A BATCH frame of the native protocol: its section 4.1.7. */
export function batchBytes(
  rows: readonly VersionedUser[],
  { queryId, streamId, version, consistency }: Frame,
): Buffer {
  const frame = Buffer.allocUnsafe(mostBytes(rows, queryId));
  let at = headerBytes;
  frame[at++] = unlogged;
  at = frame.writeUInt16BE(rows.length, at);
  for (const { user, version } of rows) {
    frame[at++] = prepared;
    at = frame.writeUInt16BE(queryId.length, at);
    at += queryId.copy(frame, at);
    at = frame.writeUInt16BE(columns.length + 1, at);
    for (const column of columns) {
      const start = at + 4;
      const end = writeValue(frame, start, column, user[column]);
      frame.writeInt32BE(end - start, at);
      at = end;
    }
    at = frame.writeInt32BE(8, at);
    at = frame.writeInt32BE(Math.floor(version / 2 ** 32), at);
    at = frame.writeUInt32BE(version >>> 0, at);
  }
  at = frame.writeUInt16BE(consistency, at);
  frame[at++] = noFlags;
  frame[0] = version;
  frame[1] = 0;
  frame.writeInt16BE(streamId, 2);
  frame[4] = opcode;
  frame.writeInt32BE(at - headerBytes, 5);
  return frame.subarray(0, at);
}

function mostBytes(rows: readonly VersionedUser[], queryId: Buffer): number {
  // Of each row the kind, the id and its length, the number of values, their lengths, a UUID, a version
  // and two dates; a code unit of a string is at most three bytes of UTF-8.
  const fixed = 1 + 2 + queryId.length + 2 + 4 * (columns.length + 1) + 16 + 8 + 2 * 4;
  let texts = 0;
  for (const { user } of rows) for (const column of columns) texts += user[column].length * 3;
  return headerBytes + 6 + rows.length * fixed + texts;
}

/** Resolves to where it ends. */
function writeValue(frame: Buffer, at: number, column: keyof User, value: string): number {
  if (column === "id") return writeUuid(frame, at, value);
  if (column === "dob" || column === "registered_date") {
    // A date is the number of days, with 1970-01-01 in the middle.
    return frame.writeUInt32BE(Date.parse(value) / dayMs + 2 ** 31, at);
  }
  return at + frame.write(value, at);
}

const dayMs = 86_400_000;

/** The sixteen bytes of a UUID, as the store knows it. */
export function uuidBytes(uuid: string): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  writeUuid(bytes, 0, uuid);
  return bytes;
}

function writeUuid(frame: Buffer, at: number, uuid: string): number {
  let end = at;
  for (let from = 0; from < uuid.length; from += 2) {
    if (uuid.charCodeAt(from) === hyphen) from += 1;
    frame[end++] = (digit(uuid, from) << 4) | digit(uuid, from + 1);
  }
  return end;
}

const hyphen = 0x2d;

/** Of lower or upper case: 0x30 is "0", and letters are 0x41 or 0x61 and what follows. */
function digit(hex: string, at: number): number {
  const code = hex.charCodeAt(at);
  return code < 0x40 ? code - 0x30 : (code | 0x20) - 0x57;
}
