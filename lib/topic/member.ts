import type {
  KafkaConsumer,
  LibrdKafkaError,
  Message,
  TopicPartition,
} from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import type { ReceivedRecord } from "../domain/event.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";
import { createCommits } from "./commits.ts";
import {
  called,
  clientProperties,
  codes,
  configured,
  type Kafka,
  kafkaCode,
  type TopicOptions,
} from "./kafka.ts";
import { received } from "./messages.ts";
import { createOffsets, type Offsets } from "./offsets.ts";

/** A member of the group: its client, which may be replaced by another, and how far it has come. */
export interface Member extends AsyncDisposable {
  /** The client of now. */
  client(): KafkaConsumer;
  readonly offsets: Offsets;
  /** Up to `count` records; none after a fifth of a second. */
  poll(count: number): Promise<readonly ReceivedRecord[]>;
  /** Sends what is dealt with and not committed, if no commit is on its way. */
  commit(): void;
  /** Polls on, giving no records, until all is committed; not for ever. */
  settle(): Promise<void>;
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

/** Joins the group; waits for Kafka as long as it is down. */
export async function joinGroup(config: Config["topic"], options: TopicOptions): Promise<Member> {
  const kafka = await loadKafkaClient();
  const offsets = createOffsets(config.name);
  const commits = createCommits(offsets, options.log);
  const open = async () => {
    const what = `Kafka at ${config.brokers.join(",")}`;
    const client = await retry(() => connect(kafka, config, offsets, options), {
      what,
      ...options,
    });
    commits.follow(client);
    return client;
  };
  let client = await open();

  const settle = async () => {
    const deadline = performance.now() + settleMs;
    client.setDefaultConsumeTimeout(settlePollMs);
    while (offsets.uncommitted().length > 0 && performance.now() < deadline) {
      client.pause(client.assignments());
      commits.send(client);
      await poll(client, 1).catch(() => []);
    }
    client.setDefaultConsumeTimeout(pollMs);
  };
  return {
    client: () => client,
    offsets,
    poll: (count) => poll(client, count),
    commit: () => commits.send(client),
    settle,
    rejoin: async () => {
      await disconnect(client);
      offsets.reset();
      client = await open();
    },
    [Symbol.asyncDispose]: async () => {
      await settle().catch((error) => {
        options.log.warn({ reason: String(error) }, "offsets not committed");
      });
      await disconnect(client);
    },
  };
}

async function connect(
  kafka: Kafka,
  config: Config["topic"],
  offsets: Offsets,
  { log, signal }: TopicOptions,
): Promise<KafkaConsumer> {
  // No second argument: even an empty one replaces the topic settings, and `earliest` with them.
  const properties = consumerProperties(config);
  const cooperative =
    properties["group.protocol"] === "consumer" ||
    properties["partition.assignment.strategy"] === "cooperative-sticky";
  const consumer = configured(
    () =>
      new kafka.KafkaConsumer({
        ...properties,
        offset_commit_cb: true,
        rebalance_cb: (error: LibrdKafkaError, partitions: TopicPartition[]) => {
          const gained = kafkaCode(error) === codes.assign;
          const numbers = partitions.map(({ partition }) => partition);
          try {
            onRebalance(consumer, offsets, { gained, cooperative, partitions });
            log.info({ partitions: numbers }, gained ? "assigned" : "revoked");
          } catch (reason) {
            // A client that is closing is still told, and takes nothing any more.
            log.debug({ partitions: numbers, reason: String(reason) }, "rebalance not followed");
          }
        },
      }),
  );
  consumer.on("event.error", (error) => log.debug({ reason: error.message }, "consumer"));
  consumer.on("partition.eof", ({ partition, offset }) => offsets.end(partition, offset));
  const joining = { topic: config.name, timeout: connectMs };
  await called("connect", (done) => consumer.connect(joining, done), signal);
  consumer.setDefaultConsumeTimeout(pollMs);
  // Waits for the first record only: a batch is what is there, without a timer.
  consumer.setDefaultIsTimeoutOnlyForFirstMessage(true);
  consumer.subscribe([config.name]);
  return consumer;
}

function consumerProperties(config: Config["topic"]) {
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
    // Bounds what is fetched ahead.
    "queued.max.messages.kbytes": 16_384,
    // The default of a second stalls consuming whenever the local queue was full.
    "fetch.queue.backoff.ms": 10,
  });
}

function onRebalance(
  consumer: KafkaConsumer,
  offsets: Offsets,
  {
    gained,
    cooperative,
    partitions,
  }: { gained: boolean; cooperative: boolean; partitions: TopicPartition[] },
): void {
  if (gained) {
    offsets.assigned(partitions);
    if (cooperative) consumer.incrementalAssign(partitions);
    else consumer.assign(partitions);
    if (offsets.paused) consumer.pause(partitions);
  } else {
    offsets.revoked(partitions);
    if (cooperative) consumer.incrementalUnassign(partitions);
    else consumer.unassign();
  }
}

function poll(consumer: KafkaConsumer, count: number): Promise<readonly ReceivedRecord[]> {
  return called<Message[]>("poll", (done) => consumer.consume(count, done)).then((messages) =>
    messages.map(received),
  );
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
