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
  /** Told after each batch, before its offsets are committed. */
  readonly onBatch?: (batch: BatchResult) => void;
}
export interface BatchResult {
  readonly records: number;
  readonly rows: number;
  readonly deadLetters: number;
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
  const write = async (records: readonly ReceivedRecord[]) => {
    const { rows, origins, letters } = decodeAll(records, now().getTime());
    const refused = await retry(() => sink.upsert(rows, either), {
      what: "the table",
      log,
      signal: either,
    });
    for (const { index, rejection } of refused) {
      const original = origins[index];
      if (original) letters.push(letterOf(original, "write", rejection));
    }
    if (letters.length > 0) {
      await retry(() => deadLetters.put(letters), {
        what: "the dead-letter topic",
        log,
        signal: either,
      });
      log.warn(
        { deadLetters: letters.length, first: letters[0]?.rejection.reason },
        "dead letters",
      );
    }
    onBatch?.({
      records: records.length,
      rows: rows.length - refused.length,
      deadLetters: letters.length,
    });
  };
  await topic.batches(async (records) => {
    try {
      await write(records);
    } catch (error) {
      // The batches beside it might wait for ever for what made this one fail.
      failing.abort(error);
      throw error;
    }
  }, signal);
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
