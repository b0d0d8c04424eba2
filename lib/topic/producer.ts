import type { Producer as KafkaProducer } from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import type { Event } from "../domain/event.ts";
import { PipelineError } from "../errors.ts";
import type { Publisher, Refused } from "../flow/raw-to-topic.ts";
import { type Batches, loadBatches, nativeClient } from "../native/batches.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";
import { type Outcome, sendBatch } from "./batch.ts";
import type { OutgoingRecord } from "./blocks.ts";
import {
  called,
  clientProperties,
  codes,
  configured,
  ensureTopics,
  kafkaCode,
  maxRecordBytes,
  type Properties,
  type TopicOptions,
} from "./kafka.ts";
import { watchTopic } from "./watch.ts";

/** Sends records to one topic. */
export interface Sender extends AsyncDisposable {
  /** As `Publisher.publish`: resolves when the broker has acknowledged all but those it names. */
  send(records: readonly OutgoingRecord[]): Promise<readonly Refused[]>;
}

export interface SenderOptions extends TopicOptions {
  readonly topic: string;
  readonly maxBytes?: number;
}

/** The producer of the users' topic. Creates the topics; waits for Kafka as long as it is down. */
export async function openProducer(
  config: Config["topic"],
  options: TopicOptions,
): Promise<Publisher & AsyncDisposable> {
  await ensureTopics(config, options);
  const sender = await openSender(config, { ...options, topic: config.name });
  return {
    publish: (events: readonly Event[]) => sender.send(events),
    [Symbol.asyncDispose]: () => sender[Symbol.asyncDispose](),
  };
}

/**
 * How long a record may take to be acknowledged: shorter than a shutdown, and than the outbox holds
 * its transaction.
 */
const deliveryMs = 30_000;
const connectMs = 10_000;
/** What is not acknowledged so long after the signal has aborted is given back. */
const stopMs = 3000;
const flushMs = 2000;
const closeMs = 10_000;

/**
 * A sender with acks=all and idempotence. The broker keeps each record once per session of the
 * producer; what is sent again after a failure may be there twice. A fatal error of the client,
 * after which it refuses everything, makes a new client; a topic that is gone is made again. While
 * Kafka is known not to answer, sending rejects at once.
 */
export async function openSender(config: Config["topic"], options: SenderOptions): Promise<Sender> {
  await using opening = new AsyncDisposableStack();
  const watch = opening.use(await watchSent(config, options));
  const line = opening.use(await openLine(config, options));
  const owned = opening.move();

  const sendTogether = async (records: readonly OutgoingRecord[]): Promise<Outcome> => {
    if (records.length === 0) return { refused: [], doubted: [] };
    const outage = watch.outage();
    if (outage) {
      const since = outage.since.toISOString();
      throw new PipelineError("unavailable", `Kafka does not answer since ${since}`, {
        cause: new Error(outage.reason),
      });
    }
    return await line.send(records);
  };
  return {
    send: async (records) => {
      const { refused, doubted } = await sendTogether(records);
      // The broker refuses a whole request for one of its records, or for its size: each is tried
      // alone.
      for (const { index } of doubted) {
        const record = records[index];
        if (record === undefined) continue;
        const alone =
          records.length === 1 ? { refused: [], doubted } : await sendTogether([record]);
        for (const { rejection } of [...alone.refused, ...alone.doubted]) {
          refused.push({ index, rejection });
        }
      }
      return refused;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Whoever sends says itself what it waits for; here it is said what became of the topic. */
function watchSent(config: Config["topic"], { topic, log, signal }: SenderOptions) {
  const hint = "`bun run runs republish` brings back what was not consumed";
  return watchTopic(config, {
    ...{ topic, signal, log, quiet: true },
    onMadeAgain: () => log.warn({ topic, hint }, "the topic was deleted and made again"),
  });
}

/** The client of now, and what it is busy with. */
interface Line extends AsyncDisposable {
  send(records: readonly OutgoingRecord[]): Promise<Outcome>;
}

async function openLine(
  config: Config["topic"],
  { topic, maxBytes = maxRecordBytes, log, signal }: SenderOptions,
): Promise<Line> {
  const kafka = await loadKafkaClient();
  const properties = producerProperties(config, maxBytes);
  const batches = await loadBatches();
  let broken = false;

  const connect = async () => {
    const producer = configured(() => new kafka.Producer(properties));
    batches.batchReports(nativeClient(producer));
    producer.on("event.error", (error) => {
      broken ||= kafkaCode(error) === codes.fatal || Reflect.get(error, "isFatal") === true;
      log.debug({ topic, reason: error.message }, "producer");
    });
    const joining = { topic, timeout: connectMs };
    await called("connect", (done) => producer.connect(joining, done), signal);
    // Reports go to batches, which need no JavaScript until they are done.
    producer.setPollInBackground(true);
    return producer;
  };
  const what = `Kafka at ${config.brokers.join(",")}`;
  let producer = await retry(connect, { what, log, signal });
  let renewing: Promise<void> | undefined;
  const renew = async () => {
    log.warn({ topic }, "the producer failed for good, making a new one");
    await disconnect(producer, batches);
    // One try: whoever waits for this holds a transaction, and tries again without it.
    producer = await connect();
    broken = false;
  };

  return {
    send: async (records) => {
      if (broken) {
        renewing ??= renew().finally(() => {
          renewing = undefined;
        });
        await renewing;
      }
      return await unlessStopped(sendBatch(batches, producer, topic, records), signal);
    },
    [Symbol.asyncDispose]: () => disconnect(producer, batches),
  };
}

/** What a producer is set to. */
export function producerProperties(config: Config["topic"], maxBytes = maxRecordBytes): Properties {
  return clientProperties(config, {
    "enable.idempotence": true,
    acks: "all",
    "compression.type": "lz4",
    // What belongs together is handed over together, so waiting for more (5 ms by default) gains
    // nothing: a page was on the topic in half the time.
    "linger.ms": 1,
    "message.max.bytes": maxBytes,
    "message.timeout.ms": deliveryMs,
    // The same partition for a key as Java's clients choose.
    partitioner: "murmur2_random",
    // Full is back-pressure: bounds what is held here.
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
  });
}

/** The outcome; but once the signal has aborted it is not waited for much longer. */
async function unlessStopped<T>(outcome: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const onAbort = () => {
    timer = setTimeout(() => reject(signal.reason), stopMs);
  };
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([outcome, stopped]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

function disconnect(producer: KafkaProducer, batches: Batches): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, closeMs);
    const done = () => {
      clearTimeout(late);
      resolve();
    };
    if (!producer.isConnected()) return done();
    producer.flush(flushMs, () => {
      // What is not acknowledged by now is offered again by the outbox.
      batches.purgeBatches(nativeClient(producer));
      producer.disconnect(flushMs, done);
    });
  });
}
