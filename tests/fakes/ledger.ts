import type { Expected, Ledger, Letter } from "../../lib/flow/verify.ts";

/** A raw row, and whether it is on the topic. */
export interface RawEntry {
  readonly raw: number;
  /** Null where the record is no user. */
  readonly id: string | null;
  readonly version: number;
  readonly payload: unknown;
  readonly state: "published" | "pending" | "rejected";
}

/** Rows added to `raws` after `counts` are received too late to be expected. */
export function createFakeLedger(raws: readonly RawEntry[]): Ledger {
  let received: readonly RawEntry[] = [];
  const rows = new Map<string, { id: string; version: number; digest: string }>();
  const newer: Expected[] = [];
  const unconsumed = new Set<number>();
  const letters = new Map<string, Letter>();
  const inState = (state: RawEntry["state"]) => received.filter((row) => row.state === state);
  return {
    counts: async () => {
      received = [...raws];
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
      for (const letter of more)
        letters.set(`${letter.topic}/${letter.partition}/${letter.offset}`, letter);
    },
    totals: async () => ({
      table: rows.size,
      deadLetters: letters.size,
      onTheWay: inState("published").filter(({ raw }) => unconsumed.has(raw)).length,
    }),
    async *expected() {
      const dead = new Set([...letters.values()].map(({ raw }) => raw));
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
