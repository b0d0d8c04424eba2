import { isUtf8 } from "node:buffer";
import type { TraceContext } from "./trace-context.ts";
import { parseUser, type Rejection, shown, type User, userAsWritten } from "./user.ts";

/** A user and which of two states of the same user is the newer one. */
export interface VersionedUser {
  readonly user: User;
  /** Microseconds since 1970; the write time in the table. Below 2^53 until the year 2255. */
  readonly version: number;
}

/** A record of the topic, on its way out. */
export interface Event {
  readonly key: string;
  readonly value: string;
  /** One name and value each, in order. */
  readonly headers: readonly Readonly<Record<string, string>>[];
}

/** A record of the topic, as read: whatever a producer, ours or another, put there. */
export interface ReceivedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970, -1 when there is none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The last one wins where a name comes twice. */
  readonly headers: Readonly<Record<string, Buffer>>;
}

/** Where a record comes from: told in its headers, never needed to read it. */
export interface Origin {
  readonly run: number;
  readonly raw: number;
  /** That of its run. */
  readonly trace?: TraceContext | undefined;
}

/**
 * The format of the value, told in the header `format`: raised when an old reader would misread it.
 * Values that wait in the outbox have the format they were made in: whoever raises it empties them.
 */
export const format = "1";

/** The record for a user. Equal users with equal versions, of one origin, give equal records. */
export function encode({ user, version }: VersionedUser, origin: Origin): Event {
  return recordOf({ key: user.id, value: recordValue(user), version }, origin);
}

/** The value of a user's record. */
export function recordValue(user: User): string {
  return JSON.stringify(user);
}

/** The record of a value that was made before, in this `format`. */
export function recordOf(
  { key, value, version }: { key: string; value: string; version: number },
  { run, raw, trace }: Origin,
): Event {
  const headers: Record<string, string>[] = [
    { version: String(version) },
    { format },
    { run: String(run) },
    { raw: String(raw) },
  ];
  if (trace) headers.push({ traceparent: trace.traceparent });
  if (trace?.tracestate) headers.push({ tracestate: trace.tracestate });
  return { key, value, headers };
}

/**
 * Reads a record back. A record without a version, from another producer, counts as written at its
 * own time, at most `nowMs`, so that a clock running ahead cannot block later writes; its offset
 * tells it from others of the same millisecond. Never throws.
 */
export function decode(
  record: ReceivedRecord,
  nowMs: number,
): VersionedUser | { readonly rejection: Rejection } {
  const wrongFormat = record.headers.format?.toString();
  if (wrongFormat !== undefined && wrongFormat !== format) {
    return rejected("format", `header format: ${shown(wrongFormat)} is not "${format}"`);
  }
  const version = versionOf(record, nowMs);
  const ahead = (version ?? 0) > (Math.max(record.timestampMs, nowMs) + dayMs) * 1000;
  if (version === undefined || ahead) {
    const given = shown(record.headers.version?.toString());
    const fault = ahead ? "is more than a day ahead" : "is not a number of microseconds";
    return rejected("version", `header version: ${given} ${fault}`);
  }
  const { value } = record;
  if (value === null) return rejected("", "value: there is none");
  const user = plainRecord(value);
  if (user) return { user, version };
  const judged = parseUser(parseJson(value));
  return "user" in judged ? { user: judged.user, version } : judged;
}

/** A decimal header as a safe whole number; undefined when it is absent or anything else. */
export function wholeHeader(record: ReceivedRecord, name: string): number | undefined {
  const given = record.headers[name]?.toString("latin1");
  if (given === undefined || !/^\d{1,16}$/.test(given)) return undefined;
  const number = Number(given);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A version further ahead of any clock would keep all later writes of its id from the table. */
const dayMs = 86_400_000;

function versionOf(record: ReceivedRecord, nowMs: number): number | undefined {
  if (record.headers.version !== undefined) return wholeHeader(record, "version");
  return Math.max(0, Math.min(record.timestampMs, nowMs)) * 1000 + microsecondOf(record);
}

/**
 * Kafka's times are whole milliseconds. Two states of a user with one write time would be mixed
 * cell by cell; one id is in one partition, so offsets tell them apart, the later one newer (but
 * where a thousand is full between the two). A replay finds the same ones.
 */
function microsecondOf({ offset }: ReceivedRecord): number {
  return offset % 1000;
}

/** Nearly every record is as `encode` writes it: read in a third of the time that JSON takes. */
function plainRecord(value: Buffer): User | undefined {
  return isUtf8(value) ? userAsWritten(value.toString()) : undefined;
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(value));
  } catch {
    return undefined;
  }
}

/** Bytes that are not UTF-8 are refused, not replaced: a replaced character is another name. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function rejected(path: string, reason: string) {
  return { rejection: { path, reason } satisfies Rejection };
}
