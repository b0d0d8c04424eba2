import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import type { ReceivedRecord } from "../domain/event.ts";
import { type Batches, loadBatches } from "../native/batches.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";
import { called, clientProperties, configured, type Kafka, type TopicOptions } from "./kafka.ts";
import { poll } from "./messages.ts";
import {
  type Committed,
  committedOffsets,
  endOffsets,
  offsetsAt,
  type Watermarks,
} from "./watermarks.ts";

/** Looks at topics and at the group's progress without belonging to the group. */
export interface Reader extends AsyncDisposable {
  /** By partition; a topic that is not there has none. */
  watermarks(topic: string): Promise<Watermarks>;
  /** What the group has committed; a partition where it has committed nothing is absent. */
  committed(topic: string): Promise<ReadonlyMap<number, number>>;
  /** The same for these partitions alone, with what its consumers said when they committed. */
  commits(topic: string, partitions: readonly number[]): Promise<readonly Committed[]>;
  /** By partition, the first offset at or after this time; behind the end where there is none. */
  offsetsAt(topic: string, timeMs: number): Promise<ReadonlyMap<number, number>>;
  /** The last few records, to look at: key, value and headers as text. */
  sample(topic: string, count: number): Promise<readonly Record<string, unknown>[]>;
  /**
   * All records of a topic from `from` (where absent: from the first one kept) to what is the end
   * when it is called, in batches.
   */
  read(
    topic: string,
    from?: ReadonlyMap<number, number>,
  ): AsyncGenerator<readonly ReceivedRecord[]>;
}

const connectMs = 10_000;
const pollMs = 200;
const batchRecords = 1000;

/** Waits for Kafka as long as it is down. */
export async function openReader(
  config: Config["topic"],
  { log, signal }: TopicOptions,
): Promise<Reader> {
  const kafka = await loadKafkaClient();
  const reader = await retry(() => connect(kafka, config, { log, signal }), {
    what: `Kafka at ${config.brokers.join(",")}`,
    hint: "is it running? `bun run servers up` starts a local one; KAFKA_BROKERS names another",
    log,
    signal,
  });
  const batches = await loadBatches();
  const watermarks = (topic: string) =>
    endOffsets(reader, topic, { log, signal, missing: "empty" });
  const commits = async (topic: string, partitions: readonly number[]) => {
    if (partitions.length === 0) return [];
    const asked = partitions.map((partition) => ({ topic, partition }));
    const found = await committedOffsets(reader, asked);
    return found.filter(({ offset }) => offset >= 0);
  };

  return {
    watermarks,
    committed: async (topic) => {
      const known = await commits(topic, [...(await watermarks(topic)).keys()]);
      return new Map(known.map(({ partition, offset }) => [partition, offset]));
    },
    commits,
    offsetsAt: async (topic, timeMs) =>
      offsetsAt(reader, topic, { partitions: [...(await watermarks(topic)).keys()], timeMs }),
    sample: async (topic, count) => {
      const marks = await watermarks(topic);
      const from = new Map([...marks].map(([partition, { high }]) => [partition, high - count]));
      const last: ReceivedRecord[] = [];
      for await (const records of readAll({ reader, batches }, topic, from, marks, signal))
        last.push(...records);
      return last.slice(0, count).map(asText);
    },
    read: async function* (topic, from = new Map()) {
      yield* readAll({ reader, batches }, topic, from, await watermarks(topic), signal);
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => reader.disconnect(() => resolve())),
  };
}

async function connect(
  kafka: Kafka,
  config: Config["topic"],
  { log, signal }: TopicOptions,
): Promise<KafkaConsumer> {
  const properties = clientProperties(config, {
    // Named to ask for the group's offsets; it never joins.
    "group.id": config.group,
    "enable.auto.commit": false,
    "auto.offset.reset": "earliest",
    "enable.partition.eof": true,
    "queued.max.messages.kbytes": 16_384,
    "fetch.queue.backoff.ms": 10,
  });
  const reader = configured(() => new kafka.KafkaConsumer(properties));
  reader.on("event.error", (error) => log.debug({ reason: error.message }, "reader"));
  await called("connect", (done) => reader.connect({ timeout: connectMs }, done), signal);
  return reader;
}

function asText({ partition, offset, key, value, headers }: ReceivedRecord) {
  const names = Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]);
  return {
    partition,
    offset,
    key: key?.toString() ?? null,
    headers: Object.fromEntries(names),
    value: value?.toString() ?? null,
  };
}

interface Reading {
  readonly reader: KafkaConsumer;
  readonly batches: Batches;
}

async function* readAll(
  { reader, batches }: Reading,
  topic: string,
  from: ReadonlyMap<number, number>,
  ends: Watermarks,
  signal: AbortSignal,
): AsyncGenerator<readonly ReceivedRecord[]> {
  const next = new Map<number, number>();
  for (const [partition, { low, high }] of ends) {
    const start = Math.max(low, from.get(partition) ?? low);
    if (start < high) next.set(partition, start);
  }
  const open = () =>
    [...next].some(([partition, offset]) => offset < (ends.get(partition)?.high ?? 0));
  if (!open()) return;
  reader.assign([...next].map(([partition, offset]) => ({ topic, partition, offset })));
  try {
    while (open()) {
      signal.throwIfAborted();
      const polled = await poll(batches, reader, { topic, most: batchRecords, timeoutMs: pollMs });
      for (const { partition, offset } of polled.records) {
        next.set(partition, Math.max(offset + 1, next.get(partition) ?? 0));
      }
      // Also after the markers of transactions at the end, which are no records.
      for (const { partition, offset } of polled.ends) next.set(partition, offset);
      const wanted = polled.records.filter(
        ({ partition, offset }) => offset < (ends.get(partition)?.high ?? 0),
      );
      if (wanted.length > 0) yield wanted;
    }
  } finally {
    reader.unassign();
  }
}
