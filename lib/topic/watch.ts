import type { Config } from "../config.ts";
import { PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { type Admin, openAdmin } from "./admin.ts";
import type { TopicOptions } from "./kafka.ts";
import { reachable } from "./reachable.ts";

/**
 * Looks at a topic every few seconds, over a connection of its own. Tells whether Kafka answers;
 * makes a topic again that is gone; and knows by its id one that was deleted and made again. The
 * client itself passes over that: it reads on from the old position and skips what is before.
 */
export interface TopicWatch extends AsyncDisposable {
  /** Since when and why Kafka does not answer; undefined while it does. */
  outage(): Outage | undefined;
  /** The topic's id as last seen; undefined as long as it was not seen. */
  topicId(): string | undefined;
  /** The topic's id, asked now. Rejects when Kafka or the topic is not there. */
  askTopicId(): Promise<string>;
  /** The first offset kept, asked now, by partition. */
  askLows(partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /** The next offset to be written, asked now, by partition. */
  askHighs(partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
}

export interface Outage {
  readonly since: Date;
  readonly reason: string;
}

export interface WatchOptions extends TopicOptions {
  readonly topic: string;
  /** Leaves it to others to say on the log that Kafka is waited for. */
  readonly quiet?: boolean;
  /** Told when a topic of this name has another id than before. */
  readonly onMadeAgain?: () => void;
}

/** How late a change is noticed. */
const lookMs = 3000;
/** The longest pause between two looks while Kafka is away. */
const awayMs = 2000;
/** The brokers configured may be gone for good, and others there that the client has heard of. */
const evenSoMs = 60_000;

export async function watchTopic(
  config: Config["topic"],
  options: WatchOptions,
): Promise<TopicWatch> {
  const { topic, log } = options;
  const admin = await openAdmin(config);
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  const seen: Seen = { topicId: undefined, outage: undefined };
  const looking = look(admin, config, seen, { ...options, signal }).catch((error) => {
    // Nobody would hear that it is over.
    seen.outage = undefined;
    if (!signal.aborted) log.error({ topic, reason: String(error) }, "no longer watched");
  });
  return {
    outage: () => seen.outage,
    topicId: () => seen.topicId,
    askTopicId: async () => {
      const id = await admin.topicId(topic);
      if (id === undefined) throw new PipelineError("unavailable", `Kafka knows no topic ${topic}`);
      return id;
    },
    askLows: (partitions) => admin.lows(topic, partitions),
    askHighs: (partitions) => admin.highs(topic, partitions),
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await looking;
      admin.close();
    },
  };
}

interface Seen {
  topicId: string | undefined;
  outage: Outage | undefined;
}

async function look(
  admin: Admin,
  config: Config["topic"],
  seen: Seen,
  { topic, log, signal, quiet = false, onMadeAgain }: WatchOptions,
): Promise<void> {
  const what = `Kafka at ${config.brokers.join(",")}`;
  const telling = quiet ? quietly(log) : log;
  let asked = performance.now();
  const ask = () =>
    noting(seen, async () => {
      const late = performance.now() - asked > evenSoMs;
      if (seen.outage && !late) await reachable(config.brokers, signal);
      asked = performance.now();
      return await admin.topicId(topic, signal);
    });
  for (let missing = false; ; await sleep(lookMs, signal)) {
    const id = await retry(ask, { what, log: telling, signal, maxMs: awayMs });
    // What one look does not find may be on its way: a topic just made, a broker just started.
    if (id === undefined && missing) {
      const again = () => makeAgain(admin, config, log);
      await retry(again, { what: `topic ${topic}`, log, signal });
    }
    missing = id === undefined;
    if (id !== undefined && seen.topicId !== undefined && id !== seen.topicId) onMadeAgain?.();
    seen.topicId = id ?? seen.topicId;
  }
}

/** The same log, which says on a lower level what others say too; its waits are the log's. */
function quietly(log: Log): Log {
  const debug = log.debug.bind(log);
  return { ...log, debug, info: debug, warn: debug, error: log.error.bind(log) };
}

/** Notes since when Kafka does not answer, and why. */
async function noting<T>(seen: Seen, ask: () => Promise<T>): Promise<T> {
  try {
    const answer = await ask();
    seen.outage = undefined;
    return answer;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    seen.outage = { since: seen.outage?.since ?? new Date(), reason };
    throw error;
  }
}

async function makeAgain(admin: Admin, config: Config["topic"], log: Log): Promise<void> {
  for (const topic of await admin.createTopics(config)) {
    log.warn({ topic }, "the topic was gone and is made again, empty");
  }
}
