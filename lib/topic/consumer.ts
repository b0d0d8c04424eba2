import type { Config } from "../config.ts";
import type { RecordSource } from "../flow/topic-to-sink.ts";
import { ensureTopics, type TopicOptions } from "./kafka.ts";
import { joinGroup, type Member, type MemberOptions } from "./member.ts";
import { readOn } from "./read-on.ts";
import { endOffsets, reached } from "./watermarks.ts";

export interface Consumer extends RecordSource, AsyncDisposable {
  /**
   * Records on the topic that are not dealt with, of each partition that this member owns, asked of
   * the broker now. Rejects when it does not answer.
   */
  lags(): Promise<ReadonlyMap<number, number>>;
}

export interface ConsumerOptions extends MemberOptions {
  /** Records handed over at once, at most. */
  readonly batchRecords?: number;
  /**
   * Ends `batches` when the group has committed what was the end of every partition at the start.
   */
  readonly drain?: boolean;
}

/** How often a drain that always finds more looks whether it is done. */
const lookMs = 1000;

/**
 * A member of the group, reading from where the group has committed. Waits for Kafka as long as it
 * is down. A fatal error of the client makes a new client, which starts again from the committed
 * offsets.
 */
export async function openConsumer(
  config: Config["topic"],
  { batchRecords, drain = false, ...options }: ConsumerOptions,
): Promise<Consumer> {
  const { log, signal } = options;
  await ensureTopics(config, { log, signal });
  await using opening = new AsyncDisposableStack();
  const member = opening.use(await joinGroup(config, options));
  const isDrained = drain ? await drainedAt(member, config, { log, signal }) : undefined;
  const owned = opening.move();
  return {
    batches: (handle, signal) =>
      readOn(member, handle, {
        ...{ log, signal },
        ...(batchRecords ? { batchRecords } : {}),
        ...(isDrained ? { isDrained } : {}),
      }),
    lags: member.lags,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
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
