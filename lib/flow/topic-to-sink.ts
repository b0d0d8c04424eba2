import { decode, type ReceivedRecord, type VersionedUser } from "../domain/event.ts";
import { type Original, originalOf } from "../domain/letter.ts";
import type { Rejection } from "../domain/user.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";

/** The topic, as its consumer sees it. */
export interface RecordSource {
  /**
   * Hands batches to `handle`, in the order of each partition, a few beside each other. A batch's
   * offsets are committed when `handle` has resolved for it and for all before it; when it rejects,
   * this rejects too, once the others have ended, and of it and of what came after it nothing is
   * committed. Resolves when the signal aborts, or at the end when asked to stop there.
   */
  batches(
    handle: (records: readonly ReceivedRecord[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
}

/** The table. */
export interface Sink {
  /**
   * Writes every row, so that for each id the newest version stands whatever the order of calls.
   * Resolves when all are acknowledged but those it names, which the store refuses each by itself,
   * for good. When the signal aborts no further write starts; unless all was written, it rejects
   * with the signal's reason once those under way have ended, or their time is up.
   */
  upsert(rows: readonly VersionedUser[], signal: AbortSignal): Promise<readonly RefusedRow[]>;
}
export interface RefusedRow {
  readonly index: number;
  readonly rejection: Rejection;
}

/** A record that will not be a row as things stand: as it was at first, and why. */
export interface DeadLetter {
  readonly record: ReceivedRecord;
  /** How often it has become one, this time included. */
  readonly attempts: number;
  readonly stage: "decode" | "write";
  readonly rejection: Rejection;
}

export interface DeadLetters {
  /** Resolves when the broker has acknowledged all of them. */
  put(letters: readonly DeadLetter[]): Promise<void>;
}

export interface SinkOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  /** Told after each batch, before its offsets are committed, with the rows that were written. */
  readonly onBatch?: (batch: BatchResult, rows: readonly VersionedUser[]) => void;
}
export interface BatchResult {
  readonly records: number;
  readonly rows: number;
  readonly deadLetters: number;
  /** How long each phase took, in milliseconds, with its waits for what is down. */
  readonly ms: Readonly<Record<"decode" | "write" | "deadLetters", number>>;
  /** Of the rows written; undefined when none was. */
  readonly written: Written | undefined;
}
export interface Written {
  /** Microseconds since 1970, by the clock of whoever gave the versions. */
  readonly oldestVersion: number;
  readonly newestVersion: number;
  /** When the table had acknowledged them all: milliseconds since 1970, by this process' clock. */
  readonly atMs: number;
}

/**
 * Moves records from the topic to the table until `topic` ends. Decode, write, dead-letter what
 * must be, then let the offsets be committed: a crash anywhere before that reads the batch again,
 * and upserts change nothing the second time. A store or a broker that is down is waited for.
 */
export async function topicToSink(
  topic: RecordSource,
  sink: Sink,
  deadLetters: DeadLetters,
  { log, signal, now, onBatch }: SinkOptions,
): Promise<void> {
  const failing = new AbortController();
  const either = AbortSignal.any([signal, failing.signal]);
  const options = { log, signal: either, now };
  await topic.batches(async (records) => {
    try {
      const { batch, rows } = await writeBatch(records, { sink, deadLetters }, options);
      onBatch?.(batch, rows);
    } catch (error) {
      // The batches beside it might wait for ever for what made this one fail.
      failing.abort(error);
      throw error;
    }
  }, signal);
}

type BatchOptions = Pick<SinkOptions, "log" | "signal" | "now">;

async function writeBatch(
  records: readonly ReceivedRecord[],
  to: { readonly sink: Sink; readonly deadLetters: DeadLetters },
  { log, signal, now }: BatchOptions,
): Promise<{ readonly batch: BatchResult; readonly rows: readonly VersionedUser[] }> {
  const started = performance.now();
  const { rows, origins, letters } = decodeAll(records, now().getTime());
  const decoded = performance.now();
  const write = () => to.sink.upsert(rows, signal);
  const refused = await retry(write, { what: "the table", log, signal });
  const without = new Set(refused.map(({ index }) => index));
  const written = without.size > 0 ? rows.filter((_, index) => !without.has(index)) : rows;
  const versions = versionsOf(written, now().getTime());
  const upserted = performance.now();
  for (const { index, rejection } of refused) {
    const original = origins[index];
    if (original) letters.push(letterOf(original, "write", rejection));
  }
  await putLetters(letters, to.deadLetters, { log, signal });
  const ms = {
    decode: decoded - started,
    write: upserted - decoded,
    deadLetters: performance.now() - upserted,
  };
  const counts = { records: records.length, rows: written.length, deadLetters: letters.length };
  return { batch: { ...counts, ms, written: versions }, rows: written };
}

/** Two comparisons a row, next to its decoding nothing. */
function versionsOf(rows: readonly VersionedUser[], atMs: number): Written | undefined {
  if (rows.length === 0) return undefined;
  let oldestVersion = Number.POSITIVE_INFINITY;
  let newestVersion = 0;
  for (const { version } of rows) {
    if (version < oldestVersion) oldestVersion = version;
    if (version > newestVersion) newestVersion = version;
  }
  return { oldestVersion, newestVersion, atMs };
}

async function putLetters(
  letters: readonly DeadLetter[],
  deadLetters: DeadLetters,
  { log, signal }: Omit<BatchOptions, "now">,
): Promise<void> {
  if (letters.length === 0) return;
  await retry(() => deadLetters.put(letters), { what: "the dead-letter topic", log, signal });
  log.warn({ deadLetters: letters.length, first: letters[0]?.rejection.reason }, "dead letters");
}

function decodeAll(records: readonly ReceivedRecord[], nowMs: number) {
  const rows: VersionedUser[] = [];
  const origins: Original[] = [];
  const letters: DeadLetter[] = [];
  for (const each of records) {
    const original = originalOf(each);
    const decoded = decode(original.record, nowMs);
    if ("rejection" in decoded) {
      letters.push(letterOf(original, "decode", decoded.rejection));
    } else {
      rows.push(decoded);
      origins.push(original);
    }
  }
  return { rows, origins, letters };
}

function letterOf(
  { record, attempts }: Original,
  stage: DeadLetter["stage"],
  rejection: Rejection,
): DeadLetter {
  return { record, attempts: attempts + 1, stage, rejection };
}
