import { type LetterOrigin, placeText } from "../../lib/domain/letter.ts";
import type { Expected, Ledger } from "../../lib/flow/verify.ts";

/** A raw row, and whether it is on the topic. */
export interface RawEntry {
  readonly raw: number;
  /** Null where the record is no user. */
  readonly id: string | null;
  readonly version: number;
  readonly payload: unknown;
  readonly state: "published" | "pending" | "rejected";
}

/** What became of a letter and of those of its record before it. */
export interface Settled {
  readonly letter: LetterOrigin;
  readonly outcome: "replayed" | "purged";
}

/**
 * Rows added to `raws` after `counts` are received too late to be expected, and what is replayed
 * after it is no less an excuse; what is purged is one at once.
 */
export function createFakeLedger(
  raws: readonly RawEntry[],
  settled: readonly Settled[] = [],
): Ledger {
  let received: readonly RawEntry[] = [];
  const rows = new Map<string, { id: string; version: number; digest: string }>();
  const newer: Expected[] = [];
  const unconsumed = new Set<number>();
  const letters = new Map<string, LetterOrigin>();
  let before: readonly Settled[] = [];
  const outcomeOf = (letter: LetterOrigin) =>
    before.find(
      (each) => keyOf(each.letter) === keyOf(letter) && each.letter.attempts >= letter.attempts,
    )?.outcome;
  const inState = (state: RawEntry["state"]) => received.filter((row) => row.state === state);
  return {
    counts: async () => {
      received = [...raws];
      before = [...settled];
      const [pending, rejected] = [inState("pending").length, inState("rejected").length];
      return { raw: received.length, rejected, pending };
    },
    addRows: async (more) => {
      for (const row of more) rows.set(row.id, row);
    },
    addUnconsumed: async (more) => {
      for (const raw of more) unconsumed.add(raw);
    },
    addDeadLetters: async (more) => {
      for (const letter of more) {
        if ((letters.get(keyOf(letter))?.attempts ?? 0) < letter.attempts)
          letters.set(keyOf(letter), letter);
      }
    },
    totals: async () => ({
      table: rows.size,
      deadLetters: [...letters.values()].filter((letter) => !outcomeOf(letter)).length,
      onTheWay: inState("published").filter(({ raw }) => unconsumed.has(raw)).length,
    }),
    async *expected() {
      const excusing = [...letters.values()].filter((letter) => outcomeOf(letter) !== "replayed");
      const purged = settled.filter(({ outcome }) => outcome === "purged");
      const dead = new Set([...excusing, ...purged.map(({ letter }) => letter)].map((l) => l.raw));
      const newest = new Map<string, Expected>();
      for (const { raw, id, version, payload } of inState("published")) {
        if (id === null || unconsumed.has(raw) || dead.has(raw)) continue;
        if ((newest.get(id)?.version ?? -1) > version) continue;
        const row = rows.get(id);
        const there = { rowVersion: row?.version ?? null, digest: row?.digest ?? null };
        newest.set(id, { id, version, payload, ...there });
      }
      const isNewer = (each: Expected) => (each.rowVersion ?? 0) > each.version;
      newer.push(...[...newest.values()].filter(isNewer));
      yield [...newest.values()].filter((each) => !isNewer(each));
    },
    async *newer() {
      yield newer.map(({ id, rowVersion }) => {
        const version = rowVersion ?? 0;
        const payload =
          raws.find((raw) => raw.id === id && raw.version === version)?.payload ?? null;
        const digest = rows.get(id)?.digest ?? null;
        return { id, version, payload, rowVersion: version, digest };
      });
    },
    async *invented() {
      const oldest = Math.min(...raws.map(({ version }) => version));
      const known = new Set(raws.map(({ id }) => id));
      const ids = [...rows.values()].filter(
        ({ id, version }) => !known.has(id) && version >= oldest,
      );
      yield ids.map(({ id }) => id);
    },
  };
}

function keyOf(letter: LetterOrigin): string {
  return `${placeText(letter)} ${letter.timestampMs}`;
}
