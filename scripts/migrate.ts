import { openRawStore } from "../lib/raw/postgres.ts";
import { run } from "../lib/run.ts";
import { openSink } from "../lib/sink/cassandra.ts";
import { ensureTopics } from "../lib/topic/kafka.ts";

const command = {
  name: "migrate",
  about: "PostgreSQL schema, Kafka topics, Cassandra keyspace and table. Safe to repeat.",
} as const;

await run(command, async ({ config, log, signal }) => {
  const { topic, sink } = config;
  await Promise.all([
    openRawStore(config.raw, { log, signal }).then((raw) => raw[Symbol.asyncDispose]()),
    ensureTopics(topic, { log, signal }),
    openSink(sink, { log, signal }).then((table) => table[Symbol.asyncDispose]()),
  ]);
  process.stdout.write(
    `ready: raw_users, ${topic.name}, ${topic.deadLetters}, ${sink.keyspace}.${sink.table}\n`,
  );
  return 0;
});
