import type { ReceivedRecord } from "../lib/domain/event.ts";
import { silentLog } from "../lib/log.ts";
import type { OutgoingRecord } from "../lib/topic/blocks.ts";
import { ensureTopics } from "../lib/topic/kafka.ts";
import { openSender } from "../lib/topic/producer.ts";
import { openReader, type Reader } from "../lib/topic/reader.ts";
import { call, openProducer, type Sent } from "./kafka-clients.ts";
import { openTopics, type TestTopics } from "./stations.ts";
import { until } from "./until.ts";
import { never } from "./users.ts";

/** Topics of a test's own, made, with ways to write to them and to look at them. */
export interface MadeTopics extends TestTopics {
  readonly reader: Reader;
  send(records: readonly Partial<OutgoingRecord>[]): Promise<void>;
  /** In one transaction, whose marker takes an offset after the last record. */
  sendInTransaction(records: readonly Sent[], end?: "commit" | "abort"): Promise<void>;
  records(topic?: string): Promise<readonly ReceivedRecord[]>;
}

export async function makeTopics(places: Parameters<typeof openTopics>[0] = {}, log = silentLog) {
  await using opening = new AsyncDisposableStack();
  const topics = opening.use(await openTopics(places));
  const { config } = topics;
  const options = { log, signal: never };
  await ensureTopics(config, options);
  const reader = opening.use(await openReader(config, options));
  const sender = opening.use(await openSender(config, { ...options, topic: config.name }));
  const owned = opening.move();
  return {
    config,
    reader,
    send: async (records) => {
      const refused = await sender.send(
        records.map((record) => ({ key: null, value: null, headers: [], ...record })),
      );
      if (refused.length > 0) throw new Error(`refused: ${Bun.inspect(refused)}`);
    },
    sendInTransaction: async (records, end = "commit") => {
      await using producer = await openProducer(config.brokers.join(","), {
        "transactional.id": config.name,
      });
      const { client } = producer;
      await call((done) => client.initTransactions(30_000, done as () => void));
      await call((done) => client.beginTransaction(done as () => void));
      await producer.send(config.name, records);
      if (end === "commit") {
        await call((done) => client.commitTransaction(30_000, done as () => void));
      } else {
        await call((done) => client.abortTransaction(30_000, done as () => void));
      }
      // The coordinator writes its markers after it has answered.
      const marked = async () => {
        const marks = [...(await reader.watermarks(config.name)).values()];
        return marks.reduce((sum, { high }) => sum + high, 0) > records.length;
      };
      await until(marked, { what: "the marker of the transaction" });
    },
    records: async (topic = config.name) => (await Array.fromAsync(reader.read(topic))).flat(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  } satisfies MadeTopics;
}
