import type { ReceivedRecord } from "../domain/event.ts";
import type { RecordSource } from "../flow/topic-to-sink.ts";
import { sleep } from "../sleep.ts";
import { codes, kafkaCode, type TopicOptions } from "./kafka.ts";
import type { Member } from "./member.ts";

export interface ReadOptions extends TopicOptions {
  /** Records handed over at once, at most. */
  readonly batchRecords?: number;
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
/**
 * Batches handled beside each other while there is a backlog: the store works on some, the next is
 * read and decoded.
 */
export const batchesAtWork = 4;
/**
 * And without one, where a batch is whatever has come meanwhile: more of them are smaller, and the
 * work on each is shared by fewer. At a thousand records a second, from topic to row, p50 was 7 ms
 * with one, 5 ms with two; p99 28 ms and 20 ms.
 */
const batchesIdle = 2;
/** A batch of at least this part of a full one says that there is a backlog. */
const backlogPart = 1 / 4;
/** Records of a batch, at most. */
export const batchRecords = 1000;

/** Reads and has handled, batch after batch, until the signal aborts or all is drained. */
export async function readOn(
  member: Reading,
  handle: Handle,
  { isDrained, pauseAfterMs = 2000, log, signal, ...options }: ReadOptions,
): Promise<void> {
  let failing = false;
  const onFailure = (error: unknown) => {
    if (!failing) log.warn({ reason: String(error) }, "poll failed, going on");
    failing = true;
  };
  const most = options.batchRecords ?? batchRecords;
  const work = createWork(member, handle, pauseAfterMs);
  let beside = batchesAtWork;
  try {
    while (!signal.aborted) {
      await work.fewerThan(beside);
      const polled = await pollOrMend(member, most, { signal, onFailure });
      if (polled === "rejoined" || polled === "failed") continue;
      failing = false;
      work.start(polled);
      beside = polled.length < most * backlogPart ? batchesIdle : batchesAtWork;
      const idle = polled.length < most;
      if (isDrained && idle) await work.fewerThan(1);
      member.offsets.reachedEnds();
      member.commit();
      if (await isDrained?.(idle)) break;
    }
    await work.fewerThan(1);
  } finally {
    await work.ended();
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

interface Work {
  /** Has the records handled, beside those that are. */
  start(records: readonly ReceivedRecord[]): void;
  /** Resolves when fewer batches than these are at work; rejects once one has failed. */
  fewerThan(batches: number): Promise<void>;
  /** Resolves when none is at work any more, and never rejects. */
  ended(): Promise<void>;
}

/** Batches at work. They may end in any order, and are dealt with in the order they came in. */
function createWork(member: Reading, handle: Handle, pauseAfterMs: number): Work {
  const atWork: Promise<boolean>[] = [];
  let failure: { readonly reason: unknown } | undefined;

  const dealtWith = async (records: readonly ReceivedRecord[], before?: Promise<boolean>) => {
    const marks = member.offsets.marks(records);
    const handled = await handle(records).then(
      () => true,
      (reason) => {
        failure ??= { reason };
        return false;
      },
    );
    const dealt = (await before) !== false && handled;
    if (dealt) {
      member.offsets.done(marks);
      member.commit();
    }
    void atWork.shift();
    return dealt;
  };
  const start = (records: readonly ReceivedRecord[]) => {
    if (records.length > 0 && !failure) atWork.push(dealtWith(records, atWork.at(-1)));
  };
  return {
    start,
    fewerThan: async (batches) => {
      for (let [oldest] = atWork; oldest && atWork.length >= batches; [oldest] = atWork) {
        await stayingInGroup(member, oldest, { pauseAfterMs, onEarly: start });
        if (failure) break;
      }
      if (failure) throw failure.reason;
    },
    ended: async () => void (await Promise.all(atWork)),
  };
}

interface StayingOptions {
  readonly pauseAfterMs: number;
  readonly onEarly: (records: readonly ReceivedRecord[]) => void;
}

/**
 * Waits for the work on a batch. A member that stops polling is expelled from its
 * group, so when it takes long all partitions are paused and polling goes on, to hear of
 * rebalances, and to say that it waits. What it gives nevertheless, of a partition gained at that moment, is started early.
 */
async function stayingInGroup(
  member: Reading,
  work: Promise<unknown>,
  { pauseAfterMs, onEarly }: StayingOptions,
): Promise<void> {
  if (await settlesWithin(work, pauseAfterMs)) return;
  member.pause();
  do {
    onEarly(await member.poll(1).catch(() => []));
    member.commit();
  } while (!(await settlesWithin(work, pauseAfterMs)));
  member.resume();
}

async function settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
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
