import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import type { Log } from "../log.ts";
import type { BatchResult } from "./topic-to-sink.ts";

export interface FiguresOptions {
  readonly worker: string;
  readonly log: Pick<Log, "waits" | "conceal">;
  readonly now: () => Date;
  /** Resident, in bytes. */
  readonly memory: () => number;
}

/** Percentiles are of so long, and of so many batches at most: sorting them takes a millisecond. */
const windowMs = 60_000;
const maxBatches = 600;
/** The reason of a failure may quote a whole answer: what goes with a commit must be short. */
const maxText = 300;

/** What a consumer has done: told of each batch, it says how it stands. */
export function createConsumerFigures({ worker, log, now, memory }: FiguresOptions) {
  const startedAt = now().toISOString();
  const total = { records: 0, rows: 0, deadLetters: 0 };
  const recent: (BatchResult & { readonly atMs: number })[] = [];
  let newestVersion: number | undefined;
  return {
    /** Since it started. */
    total: total as Readonly<typeof total>,
    add: (batch: BatchResult): void => {
      total.records += batch.records;
      total.rows += batch.rows;
      total.deadLetters += batch.deadLetters;
      if (recent.push({ ...batch, atMs: now().getTime() }) > maxBatches) recent.shift();
      newestVersion = Math.max(newestVersion ?? 0, batch.written?.newestVersion ?? 0);
    },
    /** What another one has written before counts for what is the newest. */
    heard: ({ newestRowAt }: ConsumerFigures): void => {
      const version = newestRowAt === null ? 0 : Date.parse(newestRowAt) * 1000;
      newestVersion = Math.max(newestVersion ?? 0, version);
    },
    now: (): ConsumerFigures => {
      const at = now();
      while ((recent[0]?.atMs ?? at.getTime()) < at.getTime() - windowMs) recent.shift();
      const [waiting] = log.waits.now();
      const failure = log.waits.last();
      const said = (text: string) => log.conceal(text).slice(0, maxText);
      return {
        ...{ worker, at: at.toISOString(), startedAt, memoryBytes: memory(), ...total },
        batchRows: spread(recent.map(({ rows }) => ({ value: rows, weight: 1 }))),
        writeMs: spread(recent.map(({ ms }) => ({ value: ms.write, weight: 1 }))),
        endToEndMs: spread(recent.flatMap(latencies)),
        newestRowAt: newestVersion ? new Date(newestVersion / 1000).toISOString() : null,
        waiting: waiting
          ? {
              ...{ what: said(waiting.what), reason: said(waiting.reason) },
              since: waiting.since.toISOString(),
            }
          : null,
        lastError: failure ? { at: failure.at.toISOString(), message: said(failure.reason) } : null,
      };
    },
  };
}

interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/**
 * A batch is told by its oldest and its newest row, each for half of its rows: no work for each
 * row, and no percentile is better than what was.
 */
function latencies({ rows, written }: BatchResult): readonly Weighted[] {
  if (written === undefined) return [];
  const { oldestVersion, newestVersion, atMs } = written;
  const after = (version: number) => Math.max(0, atMs - version / 1000);
  return [oldestVersion, newestVersion].map((version) => ({
    value: after(version),
    weight: rows / 2,
  }));
}

function spread(values: readonly Weighted[]): { p50: number; p99: number } | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a.value - b.value);
  const all = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const at = (share: number) => {
    let below = 0;
    const found = sorted.find(({ weight }) => {
      below += weight;
      return below >= all * share;
    });
    return Math.round((found ?? sorted.at(-1))?.value ?? 0);
  };
  return { p50: at(0.5), p99: at(0.99) };
}
