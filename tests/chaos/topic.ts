import type { IAdminClient } from "@confluentinc/kafka-javascript";
import { readConfig } from "../../lib/config.ts";
import { codes } from "../../lib/topic/kafka.ts";
import { call, openAdmin, openProducer, type Sent } from "../kafka-clients.ts";
import type { Settings } from "../scripts.ts";
import { until } from "../until.ts";

/** The topic as strangers see it: they write to it, and give it more partitions. */
export interface OpenTopic extends AsyncDisposable {
  /** Records acknowledged so far. */
  readonly sent: number;
  /** Waits for the broker while it is down, for a minute or two. */
  send(records: readonly Sent[]): Promise<void>;
  /** Waits for the broker as well. */
  addPartitions(count: number): Promise<void>;
}

export async function openTopic(settings: Settings): Promise<OpenTopic> {
  await using opening = new AsyncDisposableStack();
  const { brokers, name, partitions: first } = readConfig(settings).topic;
  const producer = opening.use(
    await openProducer(brokers.join(","), {
      "enable.idempotence": true,
      "message.max.bytes": 1_048_588,
      // It must know of new partitions, and no sooner than others do.
      "reconnect.backoff.max.ms": 2000,
    }),
  );
  let sent = 0;
  let partitions = first;
  const owned = opening.move();
  return {
    get sent() {
      return sent;
    },
    send: async (records) => {
      await producer.send(name, records);
      sent += records.length;
    },
    addPartitions: async (count) => {
      using admin = await openAdmin(brokers.join(","));
      partitions += count;
      const { client } = admin as { client: IAdminClient };
      const make = () =>
        call((done) => client.createPartitions(name, partitions, 10_000, done as () => void));
      // The broker may be away just now, and may have done it although no answer came.
      await until(async () => {
        const error = await make().then(
          () => undefined,
          (reason) => reason,
        );
        return error === undefined || error.code === codes.invalidPartitions;
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
