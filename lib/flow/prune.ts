import { type ReceivedRecord, wholeHeader } from "../domain/event.ts";
import { messageChain, PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";

/** For how many days each kind of thing is kept; 0: for ever. */
export interface KeepDays {
  /** Raw rows, counted from when they were fetched. */
  readonly raw: number;
  /** Logs of runs and alerts that were sent, counted from the end. */
  readonly logs: number;
  /** Runs without raw rows, counted from their end. */
  readonly runs: number;
}

/** How many of each were removed, or would be. */
export interface Pruned {
  readonly raw: number;
  readonly logs: number;
  readonly runs: number;
}

/** Old things in the raw store. */
export interface OldThings {
  /** The first raw row that waits for the topic. */
  firstWaiting(): Promise<number | undefined>;
  countRaw(days: number, below: number): Promise<number>;
  /** Removes up to `limit` rows after the id `after`; resolves to where it came. */
  pruneRaw(days: number, part: RawPart): Promise<{ rows: number; last: number | undefined }>;
  count(kind: "logs" | "runs", days: number): Promise<number>;
  /** Removes up to `limit`; resolves to how many there were. */
  prune(kind: "logs" | "runs", days: number, limit: number): Promise<number>;
}

export interface RawPart {
  readonly after: number;
  /** Only rows with smaller ids. */
  readonly below: number;
  readonly limit: number;
}

/** Where the topic and the progress of its consumers can be read. */
export interface TopicToRead {
  readonly name: string;
  readonly openTopic: () => Promise<PrunedTopic & AsyncDisposable>;
}

export interface PrunedTopic {
  watermarks(topic: string): Promise<ReadonlyMap<number, { low: number; high: number }>>;
  committed(topic: string): Promise<ReadonlyMap<number, number>>;
  read(topic: string, from?: ReadonlyMap<number, number>): AsyncIterable<readonly ReceivedRecord[]>;
}

export interface PruneOptions {
  readonly keep: KeepDays;
  /** Only counts. */
  readonly dryRun?: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const batchRows = 2000;

/**
 * Removes what is older than it is to be kept. Of raw rows only those that are published and
 * consumed: all with ids below the first one that waits for the topic or is not consumed. Stopped in
 * the middle, the rest stays; any number of instances may do it at once.
 */
export async function prune(
  old: OldThings,
  topic: TopicToRead,
  { keep, dryRun = false, log, signal }: PruneOptions,
): Promise<Pruned> {
  const waiting = { what: "PostgreSQL", log, signal };
  const pruned = { raw: 0, logs: 0, runs: 0 };
  if (keep.raw > 0) {
    const below = await firstNeeded(old, topic, { log, signal });
    pruned.raw = dryRun
      ? await retry(() => old.countRaw(keep.raw, below), waiting)
      : await pruneRaw(old, below, { keep, log, signal });
  }
  for (const kind of ["logs", "runs"] as const) {
    const days = keep[kind];
    if (days === 0) continue;
    if (dryRun) {
      pruned[kind] = await retry(() => old.count(kind, days), waiting);
      continue;
    }
    for (let rows = batchRows; rows === batchRows; ) {
      rows = await retry(() => old.prune(kind, days, batchRows), waiting);
      pruned[kind] += rows;
    }
  }
  return pruned;
}

/**
 * Removes what is too old now and once an hour, until the signal aborts. A statement that takes long
 * is left to itself then: it ends with its connection.
 */
export async function pruneHourly(
  old: OldThings,
  topic: TopicToRead,
  { keep, log, signal }: PruneOptions,
): Promise<void> {
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {});
  signal.addEventListener("abort", () => stopped.reject(signal.reason), { once: true });
  for (;;) {
    try {
      const pruned = await Promise.race([
        prune(old, topic, { keep, log, signal }),
        stopped.promise,
      ]);
      if (pruned.raw + pruned.logs + pruned.runs > 0) log.info({ ...pruned }, "removed for age");
    } catch (error) {
      // Nothing is in danger but disk space: said, and looked at again an hour later.
      if (!(error instanceof PipelineError)) throw error;
      log.warn({ reason: messageChain(error).join(": ") }, "nothing removed for age");
    }
    await sleep(hourMs, signal);
  }
}

const hourMs = 3_600_000;

/**
 * The first raw row that is still needed. What waits for the topic is looked up first: whatever does
 * not wait then is on the topic when its end is read.
 */
async function firstNeeded(
  old: OldThings,
  { name, openTopic }: TopicToRead,
  { log, signal }: Pick<PruneOptions, "log" | "signal">,
): Promise<number> {
  const waiting = await retry(() => old.firstWaiting(), { what: "PostgreSQL", log, signal });
  let first = waiting ?? Number.MAX_SAFE_INTEGER;
  await using topic = await openTopic();
  const marks = await topic.watermarks(name);
  const committed = await topic.committed(name);
  if (marks.size === 0) throw new PipelineError("refused", `there is no topic ${name}`);
  for (const [partition, { low }] of marks) {
    if (low > (committed.get(partition) ?? 0)) {
      const message = `records of ${name}/${partition} are gone that nobody has consumed: \`bun run verify\` tells what is lost`;
      throw new PipelineError("refused", message);
    }
  }
  for await (const records of topic.read(name, committed)) {
    signal.throwIfAborted();
    for (const record of records) first = Math.min(first, wholeHeader(record, "raw") ?? first);
  }
  return first;
}

async function pruneRaw(
  old: OldThings,
  below: number,
  { keep, log, signal }: PruneOptions,
): Promise<number> {
  let rows = 0;
  for (let after: number | undefined = 0; after !== undefined; ) {
    const part: RawPart = { after, below, limit: batchRows };
    const done = await retry(() => old.pruneRaw(keep.raw, part), {
      ...{ what: "PostgreSQL", log, signal },
    });
    rows += done.rows;
    after = done.last;
  }
  return rows;
}
