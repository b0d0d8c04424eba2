import type { ReceivedRecord } from "../domain/event.ts";
import type { RecordSource } from "../flow/topic-to-sink.ts";
import { sleep } from "../sleep.ts";
import { codes, kafkaCode, type TopicOptions } from "./kafka.ts";
import type { Member } from "./member.ts";

export interface ReadOptions extends TopicOptions {
  /** Records handed over at once, at most. */
  readonly batchRecords: number;
  /** Asked after each batch, with whether there was less to read than could be. */
  readonly isDrained?: (idle: boolean) => Promise<boolean>;
  /** A batch that takes longer pauses its partitions, and the member goes on polling. */
  readonly pauseAfterMs?: number;
}

/** What is needed of a member to read with it. */
export type Reading = Pick<
  Member,
  "offsets" | "poll" | "pause" | "resume" | "commit" | "settle" | "rejoin" | "outdated"
>;

type Handle = Parameters<RecordSource["batches"]>[0];

/** A poll that fails is tried again after this. */
const failedMs = 200;

/** Reads and has handled, batch after batch, until the signal aborts or all is drained. */
export async function readOn(
  member: Reading,
  handle: Handle,
  { batchRecords, isDrained, pauseAfterMs = 2000, log, signal }: ReadOptions,
): Promise<void> {
  let failing = false;
  const onFailure = (error: unknown) => {
    if (!failing) log.warn({ reason: String(error) }, "poll failed, going on");
    failing = true;
  };
  let early: readonly ReceivedRecord[] = [];
  try {
    while (!signal.aborted) {
      const polled = await pollOrMend(member, batchRecords, { signal, onFailure });
      if (polled === "rejoined") early = [];
      if (polled === "rejoined" || polled === "failed") continue;
      failing = false;
      const records = [...early, ...polled];
      early = records.length > 0 ? await handled(member, records, { handle, pauseAfterMs }) : [];
      member.offsets.reachedEnds();
      member.commit();
      if (early.length === 0 && (await isDrained?.(records.length < batchRecords))) break;
    }
  } finally {
    await member.settle();
  }
}

/**
 * Polls. After a failure it waits a moment, and after one that the client cannot recover from it
 * rejoins.
 */
async function pollOrMend(
  member: Reading,
  count: number,
  { signal, onFailure }: Pick<ReadOptions, "signal"> & { onFailure: (error: unknown) => void },
): Promise<readonly ReceivedRecord[] | "failed" | "rejoined"> {
  try {
    if (member.outdated()) {
      await member.rejoin();
      return "rejoined";
    }
    return await member.poll(count);
  } catch (error) {
    onFailure(error);
    const fatal = kafkaCode(error) === codes.fatal;
    if (fatal) await member.rejoin();
    await sleep(failedMs, signal).catch(() => {});
    return fatal ? "rejoined" : "failed";
  }
}

/** Has the records handled and notes them as dealt with; gives those that came early meanwhile. */
async function handled(
  member: Reading,
  records: readonly ReceivedRecord[],
  { handle, pauseAfterMs }: { readonly handle: Handle; readonly pauseAfterMs: number },
): Promise<readonly ReceivedRecord[]> {
  const { offsets } = member;
  const marks = offsets.marks(records);
  const early = await stayingInGroup(member, handle(records), pauseAfterMs);
  offsets.done(marks);
  // Their end may be known already, but they are not dealt with.
  for (const { partition } of early) offsets.end(partition, -1);
  return early;
}

/**
 * Waits for the work on a batch. A member that stops polling is expelled from its group, so when it
 * takes long all partitions are paused and polling goes on, to hear of rebalances. What it gives
 * nevertheless, of a partition gained at that moment, is returned: it belongs before what is read
 * next.
 */
async function stayingInGroup(
  member: Reading,
  work: Promise<void>,
  pauseAfterMs: number,
): Promise<readonly ReceivedRecord[]> {
  const early: ReceivedRecord[] = [];
  if (!(await settlesWithin(work, pauseAfterMs))) {
    member.pause();
    do early.push(...(await member.poll(1).catch(() => [])));
    while (!(await settlesWithin(work, pauseAfterMs)));
    member.resume();
  }
  await work;
  return early;
}

async function settlesWithin(work: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  const settled = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}
