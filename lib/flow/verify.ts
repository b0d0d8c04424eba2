import { type ReceivedRecord, type VersionedUser, wholeHeader } from "../domain/event.ts";
import type { LetterOrigin } from "../domain/letter.ts";
import { parseApiUser, type User } from "../domain/user.ts";

/** What each station holds, and where they differ. */
export interface Verification {
  /** Rows received and kept; of these rejected; of these still in the outbox. */
  readonly raw: number;
  readonly rejected: number;
  readonly pending: number;
  /**
   * Records on the topic now; dead letters neither replayed nor purged, each origin once; rows in
   * the table.
   */
  readonly topic: number;
  readonly deadLetters: number;
  readonly table: number;
  /** Ids that should have a row and have neither row nor dead letter. */
  readonly lost: number;
  /** Rows of ids that were never received. */
  readonly invented: number;
  /** Rows that differ from the newest version the group has consumed. */
  readonly stale: number;
  /** Published, not yet consumed. */
  readonly onTheWay: number;
  readonly ids?: DifferingIds;
}

export interface DifferingIds {
  readonly lost: readonly string[];
  readonly invented: readonly string[];
  readonly stale: readonly string[];
}

/** An id, the newest of its raw versions that should be in the table, and what is there instead. */
export interface Expected {
  readonly id: string;
  readonly version: number;
  /** As received; null where this very version was never received. */
  readonly payload: unknown;
  readonly rowVersion: number | null;
  readonly digest: string | null;
}

/** What has been seen so far, on disk: never all ids in memory. */
export interface Ledger {
  /** Fixes what counts as received from here on. */
  counts(): Promise<Pick<Verification, "raw" | "rejected" | "pending">>;
  addRows(rows: readonly { id: string; version: number; digest: string }[]): Promise<void>;
  addUnconsumed(raws: readonly number[]): Promise<void>;
  addDeadLetters(letters: readonly LetterOrigin[]): Promise<void>;
  totals(): Promise<Pick<Verification, "table" | "deadLetters" | "onTheWay">>;
  /**
   * All that should be in the table, but for the ids whose row is newer. A dead letter, also a
   * purged one, excuses its raw row; not one that was replayed before `counts`: then the row is
   * there, or its record is not consumed yet, or it is a dead letter once more.
   */
  expected(): AsyncIterable<readonly Expected[]>;
  /**
   * Rows newer than expected, which may have come meanwhile: what was received of them, up to now.
   */
  newer(): AsyncIterable<readonly Expected[]>;
  /** Ids of rows whose id was never received, up to now. */
  invented(): AsyncIterable<readonly string[]>;
}

export interface VerifiedStations {
  readonly ledger: Ledger;
  readonly table: { scan(): AsyncIterable<readonly VersionedUser[]> };
  readonly topic: {
    readonly name: string;
    readonly deadLetters: string;
    records(): Promise<number>;
    committed(topic: string): Promise<ReadonlyMap<number, number>>;
    read(
      topic: string,
      from?: ReadonlyMap<number, number>,
    ): AsyncIterable<readonly ReceivedRecord[]>;
    /** The record a dead letter is about. */
    letter(record: ReceivedRecord): LetterOrigin;
  };
}

/** At most so many ids are listed of each kind. */
const listedIds = 1000;

/**
 * Compares the stations while data flows. The order makes it right: what is received is fixed
 * first, then how far the group has come, then the table is read: whatever was consumed by then is
 * in it. Then the rest of the topic tells what was not consumed. For invented rows it is the other
 * way round: the table before raw.
 */
export async function verify(
  { ledger, table, topic }: VerifiedStations,
  { signal, ids = false, onProgress = () => {} }: VerifyOptions,
): Promise<Verification> {
  const counts = await ledger.counts();
  const committed = await topic.committed(topic.name);
  let rows = 0;
  for await (const page of table.scan()) {
    signal.throwIfAborted();
    await ledger.addRows(page.map(({ user, version }) => rowOf(user, version)));
    rows += page.length;
    onProgress(rows, "rows read", counts.raw - counts.rejected - counts.pending);
  }
  for await (const records of topic.read(topic.name, committed)) {
    await ledger.addUnconsumed(records.flatMap((record) => wholeHeader(record, "raw") ?? []));
  }
  for await (const records of topic.read(topic.deadLetters)) {
    await ledger.addDeadLetters(records.map(topic.letter));
  }
  const totals = await ledger.totals();
  const found = { lost: collect(ids), stale: collect(ids), invented: collect(ids) };
  let compared = 0;
  for await (const page of ledger.expected()) {
    signal.throwIfAborted();
    for (const each of page) {
      const verdict = judge(each);
      if (verdict !== "equal") found[verdict].add(each.id);
    }
    compared += page.length;
    onProgress(compared, "ids compared", rows);
  }
  for await (const page of ledger.newer()) {
    for (const each of page) if (judge(each) !== "equal") found.stale.add(each.id);
  }
  for await (const page of ledger.invented()) for (const id of page) found.invented.add(id);
  const { lost, stale, invented } = found;
  return {
    ...counts,
    topic: await topic.records(),
    deadLetters: totals.deadLetters,
    table: totals.table,
    lost: lost.count,
    invented: invented.count,
    stale: stale.count,
    onTheWay: totals.onTheWay,
    ...(ids ? { ids: { lost: lost.ids, invented: invented.ids, stale: stale.ids } } : {}),
  };
}

export interface VerifyOptions {
  readonly signal: AbortSignal;
  /** Whether to list the ids that differ, the first thousand of each kind. */
  readonly ids?: boolean;
  /** Told how far it has come in a step of its work, and about how far that goes. */
  readonly onProgress?: (done: number, what: string, about: number) => void;
}

/** True when nothing is lost, invented or stale. */
export function isClean({ lost, invented, stale }: Verification): boolean {
  return lost + invented + stale === 0;
}

function judge({ version, payload, rowVersion, digest }: Expected): "equal" | "lost" | "stale" {
  if (rowVersion === null) return "lost";
  const judged = parseApiUser(payload);
  return "user" in judged && rowVersion === version && digest === digestOf(judged.user)
    ? "equal"
    : "stale";
}

function rowOf(user: User, version: number) {
  return { id: user.id, version, digest: digestOf(user) };
}

/**
 * Equal for users that are equal field for field; 128 bits, so that others are not, by any chance
 * that matters.
 */
export function digestOf(user: User): string {
  const fields = Object.entries(user).sort(([a], [b]) => (a < b ? -1 : 1));
  return new Bun.CryptoHasher("md5").update(JSON.stringify(fields)).digest("hex");
}

function collect(listing: boolean) {
  const ids: string[] = [];
  const all = {
    count: 0,
    ids,
    add: (id: string) => {
      all.count += 1;
      if (listing && ids.length < listedIds) ids.push(id);
    },
  };
  return all;
}
