import type { History } from "../../../domain/history.ts";

/** Steps, and later ones in the place of those at the same times; without those that end before `from`. */
export function merged(old: History, more: History, from: number): History {
  const begin = more.at[0] ?? Number.POSITIVE_INFINITY;
  const kept = old.at.findIndex((at) => at + old.stepSeconds > from);
  const first = kept === -1 ? old.at.length : kept;
  const found = old.at.findIndex((at) => at >= begin);
  const last = found === -1 ? old.at.length : found;
  const both = <T>(of: (history: History) => readonly T[]) => [
    ...of(old).slice(first, Math.max(first, last)),
    ...of(more),
  ];
  const spread = (name: "batchRows" | "writeMs" | "endToEndMs") => ({
    p50: both((history) => history[name].p50),
    p99: both((history) => history[name].p99),
  });
  return {
    stepSeconds: old.stepSeconds,
    at: both(({ at }) => at),
    rowsPerSecond: {
      raw: both(({ rowsPerSecond }) => rowsPerSecond.raw),
      topic: both(({ rowsPerSecond }) => rowsPerSecond.topic),
      table: both(({ rowsPerSecond }) => rowsPerSecond.table),
    },
    pending: both(({ pending }) => pending),
    lag: both(({ lag }) => lag),
    batchRows: spread("batchRows"),
    writeMs: spread("writeMs"),
    endToEndMs: spread("endToEndMs"),
  };
}
