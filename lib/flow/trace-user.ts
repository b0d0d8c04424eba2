import { type ReceivedRecord, wholeHeader } from "../domain/event.ts";
import { type LetterOrigin, placeText, replayHeaders } from "../domain/letter.ts";
import { parseTraceContext, traceIdOf } from "../domain/trace-context.ts";
import {
  type Letter,
  type ReceivedUser,
  type TopicRecord,
  type UserTrace,
  type Way,
  wayState,
} from "../domain/user-way.ts";
import type { StoredLetter } from "./letters.ts";

/** What is asked of each station. */
export interface TracedStations {
  readonly raw: {
    /** Each time that it was received, the newest first, at most so many. */
    received(id: string, limit: number): Promise<readonly ReceivedUser[]>;
    /** What became of dead letters of these rows. */
    settled(raws: readonly number[]): Promise<readonly SettledLetter[]>;
  };
  readonly topic: {
    /**
     * Records of the user, to what is the end when it is called. In pages, also empty ones: of what
     * was read nothing was its.
     */
    records(id: string, where: Where): AsyncIterable<readonly ReceivedRecord[]>;
    /** Its dead letters; of any time where none is known. */
    letters(id: string, where: Where): AsyncIterable<readonly StoredLetter[]>;
    /** What the group has committed, by partition. */
    committed(): Promise<ReadonlyMap<number, number>>;
  };
  readonly table: {
    find(
      ids: readonly string[],
    ): Promise<readonly { readonly user: { readonly id: string }; readonly version: number }[]>;
  };
}

/** How far to look. */
export interface Where {
  /** From about this time on; where none is known, what the group has not consumed. */
  readonly fromMs: number | undefined;
  /** Also in partitions that are not the key's, as they may have been while there were fewer. */
  readonly everywhere: boolean;
}

export interface SettledLetter extends LetterOrigin {
  readonly outcome: "replayed" | "purged";
}

export interface TraceOptions {
  readonly signal: AbortSignal;
  /** Told of each page that was looked through. */
  readonly onProgress?: (found: number, note: string) => void;
}

/** Of so many times that it was received, the newest, it is said what became. */
const mostReceived = 10;
/** As many of its records and letters are held, the newest. */
const mostRecords = 1000;

/**
 * Finds out how far a user has come. The stations are read in the order of the way: what moves on
 * meanwhile is found where it has come to. Undefined where nothing is known of it.
 */
export async function traceUser(
  id: string,
  stations: TracedStations,
  options: TraceOptions,
): Promise<UserTrace | undefined> {
  const found = await look(id, stations, false, options);
  if (found?.received.every(({ state }) => state !== "missing")) return found;
  return await look(id, stations, true, options);
}

async function look(
  id: string,
  { raw, topic, table }: TracedStations,
  everywhere: boolean,
  { signal, onProgress }: TraceOptions,
): Promise<UserTrace | undefined> {
  const received = await raw.received(id, mostReceived);
  const [early] = await table.find([id]);
  const times = received.map(({ receivedAt }) => Date.parse(receivedAt));
  const since = [...times, ...(early ? [early.version / 1000] : [])];
  const where = { fromMs: since.length > 0 ? Math.min(...since) : undefined, everywhere };
  const gathered = async <T>(pages: AsyncIterable<readonly T[]>, note: string): Promise<T[]> => {
    const all: T[] = [];
    for await (const page of pages) {
      signal.throwIfAborted();
      all.push(...page);
      all.splice(0, all.length - mostRecords);
      onProgress?.(all.length, note);
    }
    return all;
  };
  const records = await gathered(topic.records(id, where), "records");
  const letters = await gathered(topic.letters(id, where), "letters");
  const committed = await topic.committed();
  const settled = await raw.settled(received.map((each) => each.raw));
  const [row] = await table.find([id]);
  if (received.length + records.length + letters.length === 0 && !row) return undefined;
  return joined(id, { received, records, letters, committed, settled, row });
}

interface Found {
  readonly received: readonly ReceivedUser[];
  readonly records: readonly ReceivedRecord[];
  readonly letters: readonly StoredLetter[];
  readonly committed: ReadonlyMap<number, number>;
  readonly settled: readonly SettledLetter[];
  readonly row: { readonly version: number } | undefined;
}

function joined(id: string, found: Found): UserTrace {
  const { received, records, letters, committed, settled, row } = found;
  const table = row ? { version: row.version, writeTime: isoOf(row.version / 1000) } : null;
  const raws = new Set(received.map(({ raw }) => raw));
  const ways = received.map((each): Way => {
    const own = records.filter((record) => rawOf(record) === each.raw);
    const shown = own.map((record) => topicRecord(record, committed));
    const letter = letterOf(
      letters.filter(({ origin }) => origin.raw === each.raw),
      settled.filter(({ raw }) => raw === each.raw),
    );
    const state = wayState(each, { records: shown, letter, table });
    return { ...each, state, records: shown, letter };
  });
  const isOther = (raw: number | null | undefined) => raw == null || !raws.has(raw);
  const otherLetters = letters.filter(({ origin }) => isOther(origin.raw));
  return {
    id,
    state: ways[0]?.state ?? "foreign",
    received: ways,
    others: records
      .filter((record) => isOther(rawOf(record)))
      .map((record) => topicRecord(record, committed)),
    otherLetters: otherLetters.flatMap((letter) => letterOf([letter], []) ?? []),
    table,
  };
}

/** A record of ours says which row it was made of. */
function rawOf(record: ReceivedRecord): number | undefined {
  return wholeHeader(record, "raw");
}

function topicRecord(
  { partition, offset, timestampMs, headers }: ReceivedRecord,
  committed: ReadonlyMap<number, number>,
): TopicRecord {
  const context = parseTraceContext({ traceparent: headers.traceparent?.toString("latin1") });
  return {
    ...{ partition, offset, at: isoOf(timestampMs) },
    consumed: (committed.get(partition) ?? 0) > offset,
    replayed: headers[replayHeaders.origin] !== undefined,
    traceId: context ? traceIdOf(context) : null,
  };
}

/** The newest letter about a row, and what became of it, also where it is not kept any more. */
function letterOf(
  letters: readonly StoredLetter[],
  settled: readonly SettledLetter[],
): Letter | null {
  const newest = letters.toSorted((a, b) => b.origin.attempts - a.origin.attempts)[0];
  const last = settled.toSorted((a, b) => b.attempts - a.attempts)[0];
  if (newest && (!last || last.attempts < newest.origin.attempts)) {
    return { ...told(newest), id: placeText(newest.origin), state: "open" };
  }
  if (!last) return null;
  const kept = newest
    ? told(newest)
    : { at: null, stage: null, reason: null, attempts: last.attempts };
  return { ...kept, id: placeText(last), state: last.outcome };
}

function told({ at, stage, reason, origin: { attempts } }: StoredLetter) {
  return { at: isoOf(at.timestampMs), stage, reason, attempts };
}

function isoOf(ms: number): string {
  return new Date(Math.max(0, ms)).toISOString();
}
