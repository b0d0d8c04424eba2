import type {
  KafkaConsumer,
  LibrdKafkaError,
  Message,
  TopicPartition,
} from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import type { ReceivedRecord } from "../domain/event.ts";
import type { RecordSource } from "../flow/topic-to-sink.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import {
  called,
  clientProperties,
  codes,
  configured,
  ensureTopics,
  type Kafka,
  kafkaCode,
  type TopicOptions,
} from "./kafka.ts";
import { received } from "./messages.ts";
import { createOffsets, type Offsets } from "./offsets.ts";
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

const connectMs = 10_000;
const requestMs = 10_000;
/** How long one poll waits for the first record: how late an abort or a rebalance is heard. */
const pollMs = 200;
/** A batch that takes longer than this pauses its partitions, and the member goes on polling. */
const pauseAfterMs = 2000;
/** How long closing waits for the answer to its last commit. */
const settleMs = 5000;
const settlePollMs = 20;
/** How often a drain that always finds more looks whether it is done. */
const lookMs = 1000;

/**
 * A member of the group, reading from where the group has committed. Waits for Kafka as long as it
 * is down. A fatal error of the client makes a new client, which starts again from the committed
 * offsets.
 */
export async function openConsumer(
  config: Config["topic"],
  { log, signal, batchRecords = 1000, drain = false }: ConsumerOptions,
): Promise<Consumer> {
  const options = { log, signal };
  await ensureTopics(config, options);
  const kafka = await loadKafkaClient();
  const offsets = createOffsets(config.name);
  const reopen = () =>
    retry(() => connect(kafka, config, offsets, options), {
      what: `Kafka at ${config.brokers.join(",")}`,
      log,
      signal,
    });
  let consumer = await reopen();
  const ends = drain
    ? await endOffsets(consumer, config.name, { ...options, missing: "wait" })
    : undefined;

  // What the client calls a commit only sends it: the answer comes while polling. One at a time is
  // on its way, and what is refused, during a rebalance for instance, stays uncommitted and is sent
  // again.
  let sentAt: number | undefined;
  const listen = () =>
    consumer.on("offset.commit", (error, partitions) => {
      sentAt = undefined;
      if (error) log.debug({ reason: error.message }, "offsets not committed, trying again");
      else offsets.committed(partitions);
    });
  listen();
  const commit = () => {
    if (sentAt !== undefined && performance.now() - sentAt < requestMs) return;
    const toCommit = offsets.uncommitted();
    if (toCommit.length === 0) return;
    try {
      consumer.commit(toCommit);
      sentAt = performance.now();
    } catch (error) {
      log.debug({ reason: String(error) }, "offsets not sent, trying again");
    }
  };
  /** Polls on, giving no records, until all is committed; not for ever. */
  const settle = async () => {
    const deadline = performance.now() + settleMs;
    consumer.setDefaultConsumeTimeout(settlePollMs);
    while (offsets.uncommitted().length > 0 && performance.now() < deadline) {
      consumer.pause(consumer.assignments());
      commit();
      await poll(consumer, 1);
    }
    consumer.setDefaultConsumeTimeout(pollMs);
  };

  return {
    batches: async (handle, stop) => {
      let early: readonly ReceivedRecord[] = [];
      let lookedAt = performance.now();
      let failing = false;
      while (!stop.aborted) {
        const polled = await poll(consumer, batchRecords).catch(async (error) => {
          if (!failing) log.warn({ reason: String(error) }, "poll failed, going on");
          failing = true;
          if (kafkaCode(error) === codes.fatal) {
            await disconnect(consumer);
            offsets.reset();
            early = [];
            consumer = await reopen();
            sentAt = undefined;
            listen();
          }
          await sleep(pollMs, stop).catch(() => {});
          return undefined;
        });
        if (polled === undefined) continue;
        failing = false;
        const records = [...early, ...polled];
        early = [];
        if (records.length > 0) {
          const marks = offsets.marks(records);
          early = await stayingInGroup(consumer, offsets, handle(records));
          offsets.done(marks);
          // Their end may be known already, but they are not dealt with.
          for (const { partition } of early) offsets.end(partition, -1);
        }
        offsets.reachedEnds();
        commit();
        const look = records.length < batchRecords || performance.now() - lookedAt > lookMs;
        if (ends && look && early.length === 0) {
          lookedAt = performance.now();
          const known = await reached(consumer, config.name, ends);
          if (known === true) break;
          offsets.known(known);
        }
      }
      await settle();
    },
    [Symbol.asyncDispose]: async () => {
      await settle().catch((error) => log.warn({ reason: String(error) }, "offsets not committed"));
      await disconnect(consumer);
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

/**
 * Waits for the work on a batch. A member that stops polling is expelled from its group, so when it
 * takes long all partitions are paused and polling goes on, to hear of rebalances. What it gives
 * nevertheless, of a partition gained at that moment, is returned: it belongs before what is read
 * next.
 */
async function stayingInGroup(
  consumer: KafkaConsumer,
  offsets: Offsets,
  work: Promise<void>,
): Promise<readonly ReceivedRecord[]> {
  const early: ReceivedRecord[] = [];
  if (!(await settlesWithin(work, pauseAfterMs))) {
    consumer.pause(consumer.assignments());
    offsets.paused = true;
    do early.push(...(await poll(consumer, 1).catch(() => [])));
    while (!(await settlesWithin(work, pauseAfterMs)));
    offsets.paused = false;
    consumer.resume(consumer.assignments());
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

function disconnect(consumer: KafkaConsumer): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, requestMs);
    consumer.disconnect(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
