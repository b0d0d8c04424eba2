import { type ReceivedRecord, wholeHeader } from "./event.ts";

/** A record's place on a topic. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Which record a dead letter is about, and how often it has become one. */
export interface LetterOrigin extends Place {
  /** The record's own time: tells it from one of a topic made anew under the same name. */
  readonly timestampMs: number;
  readonly attempts: number;
  /** The raw row it was made of, as far as it says so. */
  readonly raw: number | null;
}

/** A record of the topic as it was at first, and how often it has become a dead letter. */
export interface Original {
  readonly record: ReceivedRecord;
  readonly attempts: number;
}

/** The header names of Kafka Connect's dead-letter queue. */
export const letterHeaders = {
  topic: "__connect.errors.topic",
  partition: "__connect.errors.partition",
  offset: "__connect.errors.offset",
  stage: "__connect.errors.stage",
  message: "__connect.errors.exception.message",
  path: "errors.path",
  /** Only where the value had to be left out: how large it is. */
  bytes: "errors.value.bytes",
} as const;

/** The headers of a record that goes through its topic again. */
export const replayHeaders = {
  /** Where it was at first: "topic/partition/offset". */
  origin: "replay.origin",
  attempts: "replay.attempts",
  /** The Kafka timestamp it had at first, in milliseconds. */
  timestamp: "replay.timestamp",
} as const;

/** "users_created/0/17" */
export function placeText({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset}`;
}

/** Reads what `placeText` wrote; undefined for anything else. */
export function parsePlace(text: string): Place | undefined {
  const [, topic, partition, offset] =
    /^([A-Za-z0-9._-]{1,249})\/(\d{1,10})\/(\d{1,16})$/.exec(text) ?? [];
  if (topic === undefined) return undefined;
  const place = { topic, partition: Number(partition), offset: Number(offset) };
  return isPlace(place) ? place : undefined;
}

/** Kafka's partitions have 32 bits; our numbers 53. */
export function isPlace({ topic, partition, offset }: Place): boolean {
  return (
    /^[A-Za-z0-9._-]{1,249}$/.test(topic) &&
    partition >= 0 &&
    partition < 2 ** 31 &&
    offset >= 0 &&
    Number.isSafeInteger(offset)
  );
}

/**
 * A replayed record is the one it was: with its first place, time and headers it gets the same
 * version and, where it fails again, a letter of the same origin. What claims to be one but names
 * another topic counts as itself.
 */
export function originalOf(record: ReceivedRecord): Original {
  const claimed = record.headers[replayHeaders.origin];
  if (claimed === undefined) return { record, attempts: 0 };
  const origin = parsePlace(claimed.toString("latin1"));
  const attempts = attemptsOf(record);
  const timestampMs = wholeHeader(record, replayHeaders.timestamp);
  if (origin === undefined || timestampMs === undefined || attempts === undefined)
    return { record, attempts: 0 };
  if (!replayable(origin, record.topic)) return { record, attempts: 0 };
  const headers = withoutHeaders(record.headers, Object.values(replayHeaders));
  const { key, value } = record;
  return { record: { ...origin, timestampMs, key, value, headers }, attempts };
}

/** The record that goes through the topic again, with the headers that `originalOf` reads. */
export function replayRecord({ record, attempts }: Original) {
  return {
    key: record.key,
    value: record.value,
    headers: [
      ...Object.entries(withoutHeaders(record.headers, Object.values(replayHeaders))).map(
        ([name, value]) => ({ [name]: value }),
      ),
      { [replayHeaders.origin]: placeText(record) },
      { [replayHeaders.attempts]: String(attempts) },
      { [replayHeaders.timestamp]: String(record.timestampMs) },
    ],
  };
}

/**
 * Whether a record may be replayed to this topic: its own. A letter of another writer may be about
 * itself: it is replayed from where it lies.
 */
export function replayable({ topic }: Place, to: string): boolean {
  return topic === to || topic === `${to}.dlq`;
}

/** How often a letter or a replayed record says it has failed. */
export function attemptsOf(record: ReceivedRecord): number | undefined {
  const told = wholeHeader(record, replayHeaders.attempts) ?? 0;
  // Nobody replays more often: a larger number is no count of ours.
  return told >= 1 && told <= 1_000_000 ? told : undefined;
}

export function withoutHeaders(
  headers: ReceivedRecord["headers"],
  names: readonly string[],
): ReceivedRecord["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}
