import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import type { ReceivedRecord } from "../domain/event.ts";
import { type Batches, loadBatches } from "../native/batches.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";
import { createCommits } from "./commits.ts";
import {
  called,
  clientProperties,
  codes,
  configured,
  kafkaCode,
  type Properties,
  type TopicOptions,
} from "./kafka.ts";
import { type PollOptions, poll } from "./messages.ts";
import { createOffsets, type Offsets } from "./offsets.ts";
import { followRebalances, type Rebalances } from "./rebalance.ts";
import { createStarts, type Starts } from "./starts.ts";
import { watchTopic } from "./watch.ts";

/** A member of the group: its client, which may be replaced by another, and how far it has come. */
export interface Member extends AsyncDisposable {
  /** The client of now. */
  client(): KafkaConsumer;
  readonly offsets: Offsets;
  /** Up to `count` records; none after a fifth of a second. */
  poll(count: number): Promise<readonly ReceivedRecord[]>;
  /** Fetches nothing until `resume`; polling goes on. */
  pause(): void;
  resume(): void;
  /**
   * Sends soon what is dealt with and not committed, if no commit is on its way by then, with what
   * the consumer says of itself; that also when there is nothing to commit, every few seconds.
   */
  commit(): void;
  /** Polls on, giving no records, until all is committed; not for ever, and it never rejects. */
  settle(): Promise<void>;
  /** Records on the topic that are not dealt with, of each partition owned, asked of the broker. */
  lags(): Promise<ReadonlyMap<number, number>>;
  /** The id of the topic there is now, asked of the broker. */
  askTopicId(): Promise<string>;
  /**
   * True when only joining anew helps: the topic is not the one that is being read, but was made
   * again under its name, or the client has failed for good.
   */
  outdated(): boolean;
  /** Makes a new client, which starts again from the committed offsets. */
  rejoin(): Promise<void>;
}

const connectMs = 10_000;
const disconnectMs = 10_000;
/** How long one poll waits for the first record: how late an abort or a rebalance is heard. */
const pollMs = 200;
/** How long closing waits for the answer to its last commit. */
const settleMs = 5000;
const settlePollMs = 20;

export interface MemberOptions extends TopicOptions {
  /** What the consumer says of itself, asked once a second at most. */
  readonly says?: () => ConsumerFigures;
  /** Told what those have said that had its partitions before. */
  readonly heard?: (said: ConsumerFigures) => void;
}

/** Joins the group; waits for Kafka as long as it is down. */
export async function joinGroup(config: Config["topic"], options: MemberOptions): Promise<Member> {
  const { log, signal } = options;
  const topic = config.name;
  await using opening = new AsyncDisposableStack();
  const watch = opening.use(await watchTopic(config, { topic, log, signal }));
  const starts = createStarts({ topic, watch, log, signal, heard: options.heard });
  const offsets = createOffsets(topic, starts.skipped);
  const join = () => joined(config, { ...options, offsets, starts });
  let now = await join();
  // The client says it once, whoever polls then.
  let failedForGood = false;
  const onError = (error: Error) => {
    failedForGood ||= kafkaCode(error) === codes.fatal;
  };
  opening.defer(() => now.leave());
  const owned = opening.move();

  return {
    client: () => now.client,
    offsets,
    poll: (count) => taken(now, offsets, { topic, most: count, timeoutMs: pollMs, onError }),
    pause: () => now.rebalances.pause(),
    resume: () => now.rebalances.resume(),
    commit: () => {
      now.commitSoon();
      now.rebalances.progressed();
    },
    settle: () =>
      settled(now, offsets, topic).catch((error) => {
        log.warn({ reason: String(error) }, "offsets not committed");
      }),
    lags: async () => {
      const highs = await watch.askHighs([...offsets.positions().keys()]);
      const lag = (partition: number, next: number) =>
        Math.max(0, (highs.get(partition) ?? 0) - next);
      return new Map([...offsets.positions()].map(([at, next]) => [at, lag(at, next)]));
    },
    askTopicId: watch.askTopicId,
    outdated: () => {
      const topicId = watch.topicId();
      return failedForGood || (topicId !== undefined && offsets.outdated(topicId));
    },
    rejoin: async () => {
      const topicId = watch.topicId();
      if (topicId !== undefined && offsets.outdated(topicId)) starts.madeAgain(topicId);
      await now.leave();
      offsets.reset();
      now = await join();
      failedForGood = false;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function settled(now: Joined, offsets: Offsets, topic: string): Promise<void> {
  if (offsets.uncommitted().length === 0) return;
  const { rebalances, commit } = now;
  const deadline = performance.now() + settleMs;
  while (offsets.uncommitted().length > 0 && performance.now() < deadline) {
    rebalances.pause();
    commit();
    await taken(now, offsets, { topic, most: 1, timeoutMs: settlePollMs }).catch(() => []);
  }
  rebalances.resume();
}

/** One client's time in the group. */
interface Joined {
  readonly client: KafkaConsumer;
  readonly batches: Batches;
  readonly rebalances: Rebalances;
  commit(): void;
  commitSoon(): void;
  leave(): Promise<void>;
}

interface JoinOptions extends MemberOptions {
  readonly offsets: Offsets;
  readonly starts: Starts;
}

async function joined(config: Config["topic"], options: JoinOptions): Promise<Joined> {
  const { offsets, starts, log, signal, says } = options;
  const kafka = await loadKafkaClient();
  const batches = await loadBatches();
  const commits = createCommits(offsets, log, { says });
  const what = `Kafka at ${config.brokers.join(",")}`;
  return await retry(
    async () => {
      const properties = consumerProperties(config);
      const rebalances = followRebalances({
        client: () => client,
        cooperative: isCooperative(properties),
        offsets,
        commit: () => commits.send(client),
        startsOf: (partitions, closing) => starts.of(client, partitions, closing),
        log,
      });
      const client = configured(
        () =>
          new kafka.KafkaConsumer({
            ...properties,
            offset_commit_cb: true,
            rebalance_cb: rebalances.follow,
          }),
      );
      commits.follow(client, rebalances.progressed);
      await connect(client, { topic: config.name, log, signal });
      const leave = async () => {
        await rebalances.close();
        await disconnect(client);
      };
      return {
        ...{ client, batches, rebalances, leave },
        commit: () => commits.send(client),
        commitSoon: () => commits.sendSoon(client),
      };
    },
    { what, log, signal },
  );
}

async function connect(
  consumer: KafkaConsumer,
  { topic, log, signal }: TopicOptions & { readonly topic: string },
): Promise<void> {
  consumer.on("event.error", (error) => log.debug({ reason: error.message }, "consumer"));
  await called("connect", (done) => consumer.connect({ topic, timeout: connectMs }, done), signal);
  consumer.subscribe([topic]);
}

function isCooperative(properties: Properties): boolean {
  return (
    properties["group.protocol"] === "consumer" ||
    properties["partition.assignment.strategy"] === "cooperative-sticky"
  );
}

/** What a member is set to. */
export function consumerProperties(config: Config["topic"]): Properties {
  const classic = {
    "partition.assignment.strategy": "cooperative-sticky",
    // A dead member's partitions go to another after this.
    "session.timeout.ms": 10_000,
    "heartbeat.interval.ms": 3000,
  };
  return clientProperties(config, {
    "group.id": config.group,
    "enable.auto.commit": false,
    "enable.auto.offset.store": false,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": true,
    // The new group protocol of Kafka 4 leaves these to the broker, and refuses a client that sets
    // them.
    ...(config.properties["group.protocol"] === "consumer" ? {} : classic),
    // Bound what is fetched ahead: of a partition by one answer, whose bytes stay until the last of
    // its records is read (a larger record comes all the same), and in all.
    "fetch.message.max.bytes": 262_144,
    "queued.max.messages.kbytes": 8192,
    // The default of a second stalls consuming whenever the local queue was full.
    "fetch.queue.backoff.ms": 10,
  });
}

/** Polls, and notes the ends that were met. */
async function taken(
  { client, batches }: Pick<Joined, "client" | "batches">,
  offsets: Offsets,
  options: PollOptions,
): Promise<readonly ReceivedRecord[]> {
  const { records, ends } = await poll(batches, client, options);
  for (const { partition, offset } of ends) offsets.end(partition, offset);
  return records;
}

function disconnect(consumer: KafkaConsumer): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, disconnectMs);
    consumer.disconnect(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
