import type { Client, KafkaConsumer, Metadata } from "@confluentinc/kafka-javascript";
import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import { PipelineError } from "../errors.ts";
import { retry } from "../retry.ts";
import { readNote } from "./commit-note.ts";
import { called, kafkaError, type TopicOptions } from "./kafka.ts";

/** The first offset kept and the next one to be written, by partition. */
export type Watermarks = ReadonlyMap<number, { readonly low: number; readonly high: number }>;

/** How many records there are in all: also markers of transactions, which are none, are counted. */
export function held(marks: Watermarks): number {
  return [...marks.values()].reduce((sum, { low, high }) => sum + high - low, 0);
}

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
 * True when the group has committed all that `ends` says there was, whoever owns it, on the topic
 * of this id.
 */
export async function reached(
  consumer: KafkaConsumer,
  { topic, topicId }: { readonly topic: string; readonly topicId: string | undefined },
  ends: Watermarks,
): Promise<boolean> {
  const partitions = [...ends]
    .filter(([, { low, high }]) => high > low)
    .map(([partition]) => ({ topic, partition }));
  if (partitions.length === 0) return true;
  const committed = await committedOffsets(consumer, partitions).catch(() => []);
  const ours = committed.filter((each) => (each.topicId ?? topicId) === topicId);
  const offsets = new Map(ours.map(({ partition, offset }) => [partition, offset]));
  return partitions.every(
    ({ partition }) => (offsets.get(partition) ?? -1) >= (ends.get(partition)?.high ?? 0),
  );
}

export interface Committed {
  readonly partition: number;
  /** Negative where the group has committed nothing. */
  readonly offset: number;
  /** What our commits say: the id of the topic that was read, and how its consumer was then. */
  readonly topicId: string | undefined;
  readonly consumer: ConsumerFigures | undefined;
}

/** What the group has committed. Rejects unless the broker can tell for all of them. */
export async function committedOffsets(
  consumer: KafkaConsumer,
  partitions: { readonly topic: string; readonly partition: number }[],
): Promise<readonly Committed[]> {
  const what = "ask for the committed offsets";
  const answers = await called<readonly (Answer | Error)[]>(what, (done) =>
    consumer.committed(partitions, requestMs, done),
  );
  return answers.map((answer) => {
    if (answer instanceof Error) throw kafkaError(what, answer);
    const { partition, offset = -1, metadata } = answer;
    return { partition, offset, ...readNote(metadata ?? "") };
  });
}

/** By partition, the first offset at or after this time; behind any end where there is none. */
export async function offsetsAt(
  consumer: KafkaConsumer,
  topic: string,
  { partitions, timeMs }: { readonly partitions: readonly number[]; readonly timeMs: number },
): Promise<ReadonlyMap<number, number>> {
  if (partitions.length === 0) return new Map();
  const asked = partitions.map((partition) => ({ topic, partition, offset: timeMs }));
  const what = "ask for the offsets of a time";
  const answers = await called<readonly (Answer | Error)[]>(what, (done) =>
    consumer.offsetsForTimes(asked, requestMs, done),
  );
  return new Map(
    answers.map((answer) => {
      if (answer instanceof Error) throw kafkaError(what, answer);
      const { partition, offset = -1 } = answer;
      return [partition, offset < 0 ? Number.POSITIVE_INFINITY : offset];
    }),
  );
}

/** Where the group has committed nothing there is no offset. */
interface Answer {
  readonly partition: number;
  readonly offset?: number;
  readonly metadata?: string | null;
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
