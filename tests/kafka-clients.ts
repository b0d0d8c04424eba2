import type {
  ConsumerGlobalConfig,
  ConsumerTopicConfig,
  DeliveryReport,
  IAdminClient,
  KafkaConsumer,
  LibrdKafkaError,
  Message,
  MessageHeader,
  MessageKey,
  MessageValue,
  Producer,
  ProducerGlobalConfig,
} from "@confluentinc/kafka-javascript";
import { loadKafkaClient } from "../lib/native/load.ts";
import { until } from "./until.ts";

/** As it is behind the package's types, where they leave out a method that its documentation has. */
export type Consumer = KafkaConsumer & {
  incrementalAssign(assignments: readonly unknown[]): void;
  incrementalUnassign(assignments: readonly unknown[]): void;
  rebalanceProtocol(): string;
};

type Callback<T> = (error: LibrdKafkaError | Error | null, result: T) => void;

/** The client's callbacks as a promise. */
export function call<T = unknown>(start: (callback: Callback<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result)));
  });
}

export interface Failure extends Error {
  readonly code?: number;
}

/**
 * What was thrown. For `expect(promise).rejects`, which runs the event loop inside itself: time and
 * order of callbacks are not what they are outside.
 */
export async function failureOf(work: () => unknown): Promise<Failure> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`not an Error was thrown: ${Bun.inspect(error)}`);
  }
  throw new Error("nothing was thrown");
}

export interface Sent {
  readonly partition?: number;
  readonly value?: MessageValue;
  readonly key?: MessageKey;
  readonly timestamp?: number;
  readonly opaque?: unknown;
  readonly headers?: MessageHeader[];
}

export interface TestProducer extends AsyncDisposable {
  readonly client: Producer;
  readonly reports: { error: LibrdKafkaError | null; report: DeliveryReport }[];
  /** Resolves with the reports of these records, in the order in which they came. */
  send(topic: string, records: readonly Sent[]): Promise<DeliveryReport[]>;
}

export async function openProducer(
  brokers: string,
  config: ProducerGlobalConfig = {},
): Promise<TestProducer> {
  const { Producer } = await loadKafkaClient();
  const client = new Producer({
    "bootstrap.servers": brokers,
    dr_cb: true,
    "linger.ms": 5,
    ...config,
  });
  const reports: TestProducer["reports"] = [];
  client.on("delivery-report", (error, report) => reports.push({ error, report }));
  await call((done) => client.connect({ timeout: 30_000 }, done));
  client.setPollInterval(5);
  return {
    client,
    reports,
    async send(topic, records) {
      const before = reports.length;
      for (const { partition = 0, value = null, key, timestamp, opaque, headers } of records) {
        client.produce(topic, partition, value, key, timestamp, opaque, headers);
      }
      await until(() => reports.length >= before + records.length, { what: "delivery reports" });
      return reports.slice(before).map(({ error, report }) => {
        if (error) throw error;
        return report;
      });
    },
    [Symbol.asyncDispose]: async () => {
      await call((done) => client.disconnect(done));
    },
  };
}

export interface TestConsumer extends AsyncDisposable {
  readonly client: Consumer;
  /** The next `count` records; fewer only after two minutes without the rest. */
  take(count: number): Promise<Message[]>;
}

export async function openConsumer(
  brokers: string,
  config: ConsumerGlobalConfig = {},
  topicConfig: ConsumerTopicConfig = {},
): Promise<TestConsumer> {
  const { KafkaConsumer } = await loadKafkaClient();
  const client = new KafkaConsumer(
    {
      "bootstrap.servers": brokers,
      "group.id": uniqueName("group"),
      "enable.auto.commit": false,
      // 1000 by default: what a full queue makes the next fetch wait.
      "fetch.queue.backoff.ms": 10,
      ...config,
    },
    { "auto.offset.reset": "earliest", ...topicConfig },
  ) as Consumer;
  await call((done) => client.connect({ timeout: 30_000 }, done));
  client.setDefaultConsumeTimeout(100);
  return {
    client,
    async take(count) {
      const records: Message[] = [];
      await until(async () => {
        const missing = count - records.length;
        if (missing > 0) {
          records.push(...(await call<Message[]>((done) => client.consume(missing, done))));
        }
        return records.length >= count;
      });
      return records;
    },
    [Symbol.asyncDispose]: async () => {
      await call((done) => client.disconnect(done));
    },
  };
}

export interface TestTopic extends AsyncDisposable {
  readonly name: string;
}

/** A topic of its own for one test. */
export async function openTopic(
  brokers: string,
  { partitions = 1, config = {} }: { partitions?: number; config?: Record<string, string> } = {},
): Promise<TestTopic> {
  const admin = await openAdmin(brokers);
  const name = uniqueName("topic");
  const topic = { topic: name, num_partitions: partitions, replication_factor: 1, config };
  await call((done) => admin.client.createTopic(topic, 30_000, done as () => void));
  return {
    name,
    async [Symbol.asyncDispose]() {
      await call((done) => admin.client.deleteTopic(name, 30_000, done as () => void));
      admin[Symbol.dispose]();
    },
  };
}

export async function openAdmin(
  brokers: string,
  config: Record<string, string> = {},
): Promise<Disposable & { readonly client: IAdminClient }> {
  const { AdminClient } = await loadKafkaClient();
  const client = AdminClient.create({ "bootstrap.servers": brokers, ...config });
  return { client, [Symbol.dispose]: () => client.disconnect() };
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${crypto.randomUUID()}`;
}
