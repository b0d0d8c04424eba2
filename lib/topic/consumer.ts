import type { Config } from "../config.ts";
import type { ReceivedRecord } from "../domain/event.ts";
import type { RecordSource } from "../flow/topic-to-sink.ts";
import { sleep } from "../sleep.ts";
import { codes, ensureTopics, kafkaCode, type TopicOptions } from "./kafka.ts";
import { joinGroup, type Member } from "./member.ts";
import { endOffsets, reached } from "./watermarks.ts";

export interface Consumer extends RecordSource, AsyncDisposable {}

export interface ConsumerOptions extends TopicOptions {
  /** Records handed over at once, at most. */
  readonly batchRecords?: number;
  /**
   * Ends `batches` when the group has committed what was the end of every partition at the start.
   */
  readonly drain?: boolean;
}

/** A batch that takes longer than this pauses its partitions, and the member goes on polling. */
const pauseAfterMs = 2000;
/** How often a drain that always finds more looks whether it is done. */
const lookMs = 1000;
/** A poll that fails is tried again after this. */
const failedMs = 200;

/**
 * A member of the group, reading from where the group has committed. Waits for Kafka as long as it
 * is down. A fatal error of the client makes a new client, which starts again from the committed
 * offsets.
 */
export async function openConsumer(
  config: Config["topic"],
  { log, signal, batchRecords = 1000, drain = false }: ConsumerOptions,
): Promise<Consumer> {
  await ensureTopics(config, { log, signal });
  await using opening = new AsyncDisposableStack();
  const member = opening.use(await joinGroup(config, { log, signal }));
  const isDrained = drain ? await drainedAt(member, config, { log, signal }) : undefined;
  const owned = opening.move();
  let failing = false;
  const onFailure = (error: unknown) => {
    if (!failing) log.warn({ reason: String(error) }, "poll failed, going on");
    failing = true;
  };

  return {
    batches: async (handle, stop) => {
      let early: readonly ReceivedRecord[] = [];
      try {
        while (!stop.aborted) {
          const polled = await pollOrMend(member, batchRecords, { stop, onFailure });
          if (polled === "rejoined") early = [];
          if (polled === "rejoined" || polled === "failed") continue;
          failing = false;
          const records = [...early, ...polled];
          early = records.length > 0 ? await handled(member, records, handle) : [];
          member.offsets.reachedEnds();
          member.commit();
          if (early.length === 0 && (await isDrained?.(records.length < batchRecords))) break;
        }
      } finally {
        await member.settle();
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * Polls. After a failure it waits a moment, and after one that the client cannot recover from it
 * rejoins.
 */
async function pollOrMend(
  member: Member,
  count: number,
  { stop, onFailure }: { readonly stop: AbortSignal; readonly onFailure: (error: unknown) => void },
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
    await sleep(failedMs, stop).catch(() => {});
    return fatal ? "rejoined" : "failed";
  }
}

/** Has the records handled and notes them as dealt with; gives those that came early meanwhile. */
async function handled(
  member: Member,
  records: readonly ReceivedRecord[],
  handle: (records: readonly ReceivedRecord[]) => Promise<void>,
): Promise<readonly ReceivedRecord[]> {
  const { offsets } = member;
  const marks = offsets.marks(records);
  const early = await stayingInGroup(member, handle(records));
  offsets.done(marks);
  // Their end may be known already, but they are not dealt with.
  for (const { partition } of early) offsets.end(partition, -1);
  return early;
}

/**
 * Says whether the group has committed all that there is now. Asks the broker when there is nothing
 * more to read for the moment, and once in a while when there always is.
 */
async function drainedAt(member: Member, { name }: Config["topic"], options: TopicOptions) {
  const find = () => endOffsets(member.client(), name, { ...options, missing: "wait" });
  let ends = await find();
  let foundIn = member.client();
  let lookedAt = performance.now();
  return async (idle: boolean): Promise<boolean> => {
    if (!idle && performance.now() - lookedAt < lookMs) return false;
    lookedAt = performance.now();
    // A new client may be there because the topic is another one, with other ends.
    if (foundIn !== member.client()) ends = await find();
    foundIn = member.client();
    const topicId = await member.askTopicId().catch(() => undefined);
    return topicId !== undefined && (await reached(foundIn, { topic: name, topicId }, ends));
  };
}

/**
 * Waits for the work on a batch. A member that stops polling is expelled from its group, so when it
 * takes long all partitions are paused and polling goes on, to hear of rebalances. What it gives
 * nevertheless, of a partition gained at that moment, is returned: it belongs before what is read
 * next.
 */
async function stayingInGroup(
  member: Member,
  work: Promise<void>,
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
