import type { ReceivedRecord } from "../domain/event.ts";
import { type LetterOrigin, placeText } from "../domain/letter.ts";
import { type LetterFilter, type LetterInfo, matches } from "../domain/letter-filter.ts";
import type { Judged, User } from "../domain/user.ts";

export type LetterState = "open" | "replayed" | "purged";

/** A dead letter as it stands on its topic. */
export interface StoredLetter {
  readonly origin: LetterOrigin;
  /** Where the letter is on the dead-letter topic, and when it came there. */
  readonly at: {
    readonly partition: number;
    readonly offset: number;
    readonly timestampMs: number;
  };
  readonly stage: string;
  readonly path: string;
  readonly reason: string;
  /** The record it is about, as it was at first. */
  readonly record: ReceivedRecord;
  /** How large its value is, where that had to be left out. */
  readonly leftOutBytes: number | null;
}

/** A raw row that was refused before the topic. */
export interface RejectedRow {
  readonly raw: number;
  readonly run: number;
  readonly stage: string;
  readonly path: string;
  readonly reason: string;
  readonly attempts: number;
  readonly atMs: number;
  readonly state: LetterState;
}

/** The dead-letter topic. */
export interface LetterTopic {
  /** All letters from the first one kept to what is the end when it is called. */
  read(): AsyncIterable<readonly StoredLetter[]>;
  /** Deletes, by partition, what lies before these offsets. */
  deleteBefore(offsets: ReadonlyMap<number, number>): Promise<void>;
}

/** Letters seen, on disk, and what became of them: never all of them in memory. */
export interface LetterIndex {
  add(
    letters: readonly (LetterOrigin & {
      readonly atPartition: number;
      readonly atOffset: number;
    })[],
  ): Promise<void>;
  /** For each place the state of the letter there; null where another stands for its record. */
  states(
    places: readonly { readonly partition: number; readonly offset: number }[],
  ): Promise<readonly (LetterState | null)[]>;
  /** Remembers for good what became of letters. */
  settle(letters: readonly LetterOrigin[], outcome: "replayed" | "purged"): Promise<void>;
  /** By partition of the dead-letter topic, the first letter seen that is open. */
  firstOpen(): Promise<ReadonlyMap<number, number>>;
}

/** Raw rows that were refused before the topic. */
export interface RejectedRows {
  /** All of them, in pages. */
  list(): AsyncIterable<readonly RejectedRow[]>;
  /**
   * Judges rows again. What is a user now is rejected no longer and waits for the topic; what is
   * none has failed once more, for the reason it has now. Rows that are not rejected are left as
   * they are; with `dryRun` all are.
   */
  replay(
    raws: readonly number[],
    judge: (payload: unknown) => Judged<User>,
    options?: { readonly dryRun?: boolean },
  ): Promise<JudgedAgain>;
  /** Lists them no longer. Resolves to how many were listed until now. */
  purge(raws: readonly number[]): Promise<number>;
  /** A row as it was received; undefined where there is none. */
  payload(raw: number): Promise<unknown>;
}
export interface JudgedAgain {
  readonly accepted: number;
  readonly refused: number;
}

export interface LetterStations {
  readonly topic: LetterTopic;
  readonly index: LetterIndex;
  readonly rejected: RejectedRows;
}

/** A letter found: `stored` where it is on the topic. */
export interface FoundLetter {
  readonly info: LetterInfo;
  readonly stored?: StoredLetter;
}

export interface LetterOptions {
  readonly filter: LetterFilter;
  readonly state: LetterState | "all";
  readonly limit?: number;
  readonly signal: AbortSignal;
  /** Told how many letters have been looked at. */
  readonly onProgress?: (done: number, note: string) => void;
}

/**
 * Finds letters: those of the topic, then rejected rows, each record once. Reads the topic twice:
 * first to learn which letter of each record is the newest, then for the letters themselves.
 */
export async function* findLetters(
  { topic, index, rejected }: LetterStations,
  { filter, state, limit = Number.POSITIVE_INFINITY, signal, onProgress }: LetterOptions,
): AsyncGenerator<readonly FoundLetter[]> {
  const wanted = ({ info }: FoundLetter) =>
    (state === "all" || info.state === state) && matches(info, filter);
  let [seen, left] = [0, limit];
  const look = (count: number, note: string) => {
    signal.throwIfAborted();
    seen += count;
    onProgress?.(seen, note);
  };
  if (filter.where !== "raw") {
    for await (const page of topic.read()) {
      await index.add(page.map(placed));
      look(page.length, "indexed");
    }
    seen = 0;
    for await (const page of topic.read()) {
      look(page.length, "looked at");
      const found = (await withStates(page, index)).filter(wanted).slice(0, left);
      left -= found.length;
      if (found.length > 0) yield found;
      if (left <= 0) return;
    }
  }
  if (filter.where === "topic") return;
  for await (const page of rejected.list()) {
    look(page.length, "looked at");
    const found = page.map(rejectedInfo).filter(wanted).slice(0, left);
    left -= found.length;
    if (found.length > 0) yield found;
    if (left <= 0) return;
  }
}

function placed({ origin, at }: StoredLetter) {
  return { ...origin, atPartition: at.partition, atOffset: at.offset };
}

async function withStates(
  page: readonly StoredLetter[],
  index: LetterIndex,
): Promise<readonly FoundLetter[]> {
  const states = await index.states(page.map(({ at }) => at));
  return page.flatMap((stored, at) => {
    const state = states[at];
    if (!state) return [];
    const { origin, stage, path, reason } = stored;
    const { topic, partition, offset, attempts, raw } = origin;
    const time = new Date(Math.max(0, stored.at.timestampMs)).toISOString();
    const told = { stage, path, reason, attempts, at: time, topic, partition, offset };
    const info = { id: placeText(origin), where: "topic", state, ...told, raw, run: null } as const;
    return [{ info, stored }];
  });
}

function rejectedInfo({ raw, run, atMs, ...row }: RejectedRow): FoundLetter {
  const { state, stage, path, reason, attempts } = row;
  const at = new Date(atMs).toISOString();
  const place = { topic: null, partition: null, offset: null };
  const told = { stage, path, reason, attempts, at, ...place, raw, run };
  return { info: { id: `raw/${raw}`, where: "raw", state, ...told } };
}
