import type {
  Client,
  KafkaConsumer,
  Metadata,
  TopicPartitionOffset,
} from "@confluentinc/kafka-javascript";
import { PipelineError } from "../errors.ts";
import { retry } from "../retry.ts";
import { called, type TopicOptions } from "./kafka.ts";

/** The first offset kept and the next one to be written, by partition. */
export type Watermarks = ReadonlyMap<number, { readonly low: number; readonly high: number }>;

const requestMs = 10_000;

export interface EndOptions extends TopicOptions {
  /** What a topic that is not there means: to be waited for, or no partitions. */
  readonly missing: "wait" | "empty";
}

/** The watermarks of all partitions of a topic; waits for Kafka as long as it is down. */
export function endOffsets(
  client: Client<never> | KafkaConsumer,
  topic: string,
  { log, signal, missing }: EndOptions,
): Promise<Watermarks> {
  return retry(() => queryAll(client as Client<never>, topic, missing), {
    what: `the end of ${topic}`,
    hint: "`bun run migrate` creates the topics",
    log,
    signal,
  });
}

/**
 * True when the group has committed all that `ends` says there was, on every partition, whoever
 * owns it; else what it has committed, as far as the broker can tell.
 */
export async function reached(
  consumer: KafkaConsumer,
  topic: string,
  ends: Watermarks,
): Promise<true | readonly { readonly partition: number; readonly offset: number }[]> {
  const partitions = [...ends]
    .filter(([, { low, high }]) => high > low)
    .map(([partition]) => ({ topic, partition }));
  if (partitions.length === 0) return true;
  const committed = await committedOffsets(consumer, partitions).catch(() => []);
  const all =
    committed.length === partitions.length &&
    committed.every(({ partition, offset }) => offset >= (ends.get(partition)?.high ?? 0));
  // A partition where nothing is committed has no offset here.
  return all || committed.map(({ partition, offset }) => ({ partition, offset: offset ?? -1 }));
}

/** What the group has committed; -1001 where it has committed nothing. */
export function committedOffsets(
  consumer: KafkaConsumer,
  partitions: { readonly topic: string; readonly partition: number }[],
): Promise<readonly TopicPartitionOffset[]> {
  return called("ask for the committed offsets", (done) =>
    consumer.committed(partitions, requestMs, done),
  );
}

async function queryAll(
  client: Client<never>,
  topic: string,
  missing: EndOptions["missing"],
): Promise<Watermarks> {
  const metadata = await called<Metadata>("ask for partitions", (done) =>
    client.getMetadata({ topic, timeout: requestMs }, done),
  );
  const found = metadata.topics.find(({ name }) => name === topic);
  if (found === undefined && missing === "empty") return new Map();
  // A topic just created, or a broker just started, may be known without its partitions.
  if (found === undefined || found.partitions.length === 0) {
    throw new PipelineError("unavailable", `Kafka knows no topic ${topic}`);
  }
  const marks = await Promise.all(
    found.partitions.map(async ({ id }) => {
      const { lowOffset, highOffset } = await called<{ lowOffset: number; highOffset: number }>(
        "ask for watermarks",
        (done) => client.queryWatermarkOffsets(topic, id, requestMs, done),
      );
      return [id, { low: lowOffset, high: highOffset }] as const;
    }),
  );
  return new Map(marks);
}
