import type {
  ListOffsetsResult,
  OffsetSpec,
  TopicDescription,
} from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import { PipelineError } from "../errors.ts";
import { loadKafkaClient } from "../native/load.ts";
import {
  called,
  clientProperties,
  codes,
  configured,
  createMissingTopics,
  kafkaError,
} from "./kafka.ts";

/** Asks Kafka about topics. One request has a few seconds. */
export interface Admin {
  /** What tells a topic from one made later under its name; undefined if there is none. */
  topicId(topic: string, signal?: AbortSignal): Promise<string | undefined>;
  /** The first offset kept, by partition. */
  lows(topic: string, partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /** The next offset to be written, by partition. */
  highs(topic: string, partitions: readonly number[]): Promise<ReadonlyMap<number, number>>;
  /** Creates the topic and the dead-letter topic if they are missing: the names of those created. */
  createTopics(config: Config["topic"]): Promise<readonly string[]>;
  /** Returns at once; the connection ends with the last answer. */
  close(): void;
}

// The package has it where its types do not.
declare module "@confluentinc/kafka-javascript" {
  namespace AdminClient {
    const OffsetSpec: { readonly EARLIEST: OffsetSpec; readonly LATEST: OffsetSpec };
  }
}

const requestMs = 5000;

export async function openAdmin(config: Config["topic"]): Promise<Admin> {
  const kafka = await loadKafkaClient();
  let reason: string | undefined;
  const client = configured(() =>
    kafka.AdminClient.create(clientProperties(config, {}), {
      "event.error": (error: Error) => {
        reason ??= error.message;
      },
    }),
  );
  let open = 0;
  let closing = false;
  /** What the client tells of a failure is that time is up; why, it has told before, in an event. */
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    open += 1;
    reason = undefined;
    try {
      return await work();
    } catch (error) {
      if (reason === undefined) throw error;
      throw new PipelineError("unavailable", reason, { cause: error });
    } finally {
      open -= 1;
      if (closing && open === 0) client.disconnect();
    }
  };
  const offsets = (offset: OffsetSpec) => (topic: string, partitions: readonly number[]) =>
    ask(async () => {
      if (partitions.length === 0) return new Map();
      const asked = partitions.map((partition) => ({ topic, partition, offset }));
      const found = await called<ListOffsetsResult[]>("ask for offsets", (done) =>
        client.listOffsets(asked, { timeout: requestMs }, done),
      );
      const failed = found.find(({ error }) => error);
      if (failed) throw kafkaError("ask for offsets", failed.error);
      return new Map(found.map(({ partition, offset }) => [partition, offset]));
    });
  return {
    topicId: (topic, signal) =>
      ask(async () => {
        const [found] = await called<TopicDescription[]>(
          `describe topic ${topic}`,
          (done) => client.describeTopics([topic], { timeout: requestMs }, done),
          signal,
        );
        if (found?.error?.code === codes.unknownTopic) return undefined;
        if (found === undefined || found.error) throw kafkaError("describe topic", found?.error);
        const { mostSignificantBits, leastSignificantBits } = found.topicId;
        return hexadecimal(mostSignificantBits) + hexadecimal(leastSignificantBits);
      }),
    lows: offsets(kafka.AdminClient.OffsetSpec.EARLIEST),
    highs: offsets(kafka.AdminClient.OffsetSpec.LATEST),
    createTopics: (config) => ask(() => createMissingTopics(client, config)),
    close: () => {
      closing = true;
      if (open === 0) client.disconnect();
    },
  };
}

function hexadecimal(bits: bigint): string {
  return BigInt.asUintN(64, bits).toString(16).padStart(16, "0");
}
