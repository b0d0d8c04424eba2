import type { Producer as KafkaProducer } from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import type { Event } from "../domain/event.ts";
import type { Publisher, Refused } from "../flow/raw-to-topic.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import {
  called,
  clientProperties,
  codes,
  configured,
  ensureTopics,
  kafkaCode,
  kafkaError,
  maxRecordBytes,
  recordCodes,
  type TopicOptions,
} from "./kafka.ts";

/** A record on its way out, to any topic. */
export interface OutgoingRecord {
  readonly key: string | Buffer | null;
  readonly value: Buffer | null;
  /** One name and value each, in order. */
  readonly headers: readonly Readonly<Record<string, string | Buffer>>[];
}

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
const closeMs = 10_000;
/** Reports are fetched this often; measured faster than the client's background polling. */
const pollMs = 5;

/**
 * A sender with acks=all and idempotence. The broker keeps each record once per session of the
 * producer; what is sent again after a failure may be there twice. A fatal error of the client,
 * after which it refuses everything, makes a new client.
 */
export async function openSender(
  config: Config["topic"],
  { topic, maxBytes = maxRecordBytes, log, signal }: SenderOptions,
): Promise<Sender> {
  const kafka = await loadKafkaClient();
  const properties = clientProperties(config, {
    "enable.idempotence": true,
    acks: "all",
    "compression.type": "lz4",
    "message.max.bytes": maxBytes,
    "message.timeout.ms": deliveryMs,
    // The same partition for a key as Java's clients choose.
    partitioner: "murmur2_random",
    // Full is back-pressure: bounds what is held here.
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
    dr_cb: true,
  });

  const waiting: Batch[] = [];
  let sent = 0;
  let broken = false;

  const connect = async () => {
    const producer = configured(() => new kafka.Producer(properties));
    producer.on("delivery-report", (error, report) => settle(waiting, report.opaque, error));
    producer.on("event.error", (error) => {
      broken ||= kafkaCode(error) === codes.fatal || Reflect.get(error, "isFatal") === true;
      log.debug({ topic, reason: error.message }, "producer");
    });
    await called(
      "connect",
      (done) => producer.connect({ topic, timeout: connectMs }, done),
      signal,
    );
    producer.setPollInterval(pollMs);
    return producer;
  };
  const reopen = () =>
    retry(connect, { what: `Kafka at ${config.brokers.join(",")}`, log, signal });

  let producer = await reopen();

  return {
    send: async (records) => {
      const { refused, doubted } = await sendTogether(records);
      // The broker refuses a whole request for one of its records, or for its size: each is tried
      // alone.
      for (const { index } of doubted) {
        const record = records[index];
        if (record === undefined) continue;
        const alone = records.length === 1 ? doubted : (await sendTogether([record])).doubted;
        for (const { rejection } of alone) refused.push({ index, rejection });
      }
      return refused;
    },
    [Symbol.asyncDispose]: () => disconnect(producer),
  };

  async function sendTogether(records: readonly OutgoingRecord[]): Promise<Outcome> {
    if (records.length === 0) return { refused: [], doubted: [] };
    if (broken) {
      log.warn({ topic }, "the producer failed for good, making a new one");
      await disconnect(producer);
      // One try: whoever waits for this holds a transaction, and tries again without it.
      producer = await connect();
      broken = false;
    }
    const batch = createBatch(sent, records.length);
    sent += records.length;
    waiting.push(batch);
    try {
      await enqueue(producer, topic, records, batch);
      return await batch.outcome;
    } finally {
      waiting.splice(waiting.indexOf(batch), 1);
    }
  }
}

/**
 * Records sent together. The client names a record by its number, which costs less than an object
 * each.
 */
interface Batch {
  readonly first: number;
  readonly count: number;
  /** One record is acknowledged, or is not: with the client's error. */
  settle(number: number, error: unknown, by: "client" | "broker"): void;
  /** Resolves when all are settled; rejects if the fate of any is unknown. */
  readonly outcome: Promise<Outcome>;
}

interface Outcome {
  /** Refused for good, each by itself. */
  readonly refused: Refused[];
  /** Refused by the broker together with others. */
  readonly doubted: readonly Refused[];
}

function createBatch(first: number, count: number): Batch {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const refused: Refused[] = [];
  const doubted: Refused[] = [];
  let left = count;
  let failure: unknown;
  return {
    first,
    count,
    outcome: promise,
    settle: (number, error, by) => {
      const code = kafkaCode(error);
      if (code !== undefined && recordCodes.includes(code)) {
        const reason = `record: ${error instanceof Error ? error.message : code}`;
        const record = { index: number - first, rejection: { path: "", reason } };
        (by === "client" ? refused : doubted).push(record);
      } else if (error) {
        failure ??= error;
      }
      left -= 1;
      if (left > 0) return;
      if (failure) reject(kafkaError("publish", failure));
      else resolve({ refused, doubted });
    },
  };
}

function settle(waiting: readonly Batch[], number: number, error: unknown): void {
  for (const batch of waiting) {
    if (number >= batch.first && number < batch.first + batch.count) {
      batch.settle(number, error, "broker");
      return;
    }
  }
}

/**
 * Hands all records to the client. What it will not take at once counts as settled: waited for,
 * refused or failed.
 */
async function enqueue(
  producer: KafkaProducer,
  topic: string,
  records: readonly OutgoingRecord[],
  batch: Batch,
): Promise<void> {
  let number = batch.first;
  for (const { key, value, headers } of records) {
    for (;;) {
      try {
        // The client does not change the list of headers, its types do not say so.
        producer.produce(topic, -1, value, key, null, number, headers as Record<string, string>[]);
        break;
      } catch (error) {
        if (kafkaCode(error) !== codes.queueFull) {
          batch.settle(number, error, "client");
          break;
        }
        await sleep(pollMs);
      }
    }
    number += 1;
  }
}

function disconnect(producer: KafkaProducer): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, closeMs);
    const done = () => {
      clearTimeout(late);
      resolve();
    };
    // Disconnecting flushes first; what is not acknowledged by then is offered again by the outbox.
    if (producer.isConnected()) producer.disconnect(5000, done);
    else done();
  });
}
