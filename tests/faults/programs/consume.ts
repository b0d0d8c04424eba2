import { type RecordSource, type Sink, topicToSink } from "../../../lib/flow/topic-to-sink.ts";
import { run } from "../../../lib/run.ts";
import { openSink } from "../../../lib/sink/cassandra.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { openDeadLetters } from "../../../lib/topic/dead-letters.ts";
import { createPause, pauseOptions } from "./pause.ts";

/*
 * The service of scripts/consume.ts without its HTTP server, pausing at a crash point: before-decode,
 * mid-writes or after-writes. (during-commit and during-rebalance are no places between two stations:
 * there a proxy holds back what the process sends to Kafka or is answered.)
 */

const command = {
  name: "consume",
  about: "Kafka -> Cassandra or ScyllaDB, pausing at a crash point.",
  endless: () => true,
  options: pauseOptions,
} as const;

/** Small, so that a few hundred records are several batches. */
const batchRecords = 40;

await run(command, async ({ config, log, options, signal }) => {
  await using sink = await openSink(config.sink, { log, signal });
  await using letters = await openDeadLetters(config.topic, { log, signal });
  await using topic = await openConsumer(config.topic, { log, signal, batchRecords });
  const pause = createPause(options, signal);

  const pausingTopic: RecordSource = {
    batches: (handle, signal) =>
      topic.batches(async (records) => {
        await pause("before-decode");
        await handle(records);
        await pause("after-writes");
      }, signal),
  };
  const pausingSink: Sink = {
    upsert: async (rows, signal) => {
      const half = Math.floor(rows.length / 2);
      if (half === 0) return await sink.upsert(rows, signal);
      const first = await sink.upsert(rows.slice(0, half), signal);
      await pause("mid-writes");
      const second = await sink.upsert(rows.slice(half), signal);
      return [...first, ...second.map((each) => ({ ...each, index: each.index + half }))];
    },
  };
  const now = () => new Date();
  await topicToSink(pausingTopic, pausingSink, letters, { log, signal, now });
  return 0;
});
