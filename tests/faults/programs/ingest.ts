import { performRuns } from "../../../lib/flow/perform-runs.ts";
import type { Publisher } from "../../../lib/flow/raw-to-topic.ts";
import { rawToTopic } from "../../../lib/flow/raw-to-topic.ts";
import type { Source } from "../../../lib/flow/source-to-raw.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { run } from "../../../lib/run.ts";
import { openSource } from "../../../lib/source/randomuser.ts";
import { together } from "../../../lib/together.ts";
import { openProducer } from "../../../lib/topic/producer.ts";
import { createPause, pauseOptions } from "./pause.ts";

/*
 * The service of scripts/ingest.ts without its schedule and HTTP API, pausing at a crash point:
 * before-fetch, after-body, before-produce or after-ack. (in-transaction is no place between two
 * stations: there the database itself is made to wait.)
 */

const command = {
  name: "ingest",
  about: "API -> PostgreSQL -> Kafka, pausing at a crash point.",
  endless: () => true,
  options: pauseOptions,
} as const;

/** Small, so that a few hundred users are several batches. */
const batchRows = 40;

await run(command, async ({ config, log, options, signal }) => {
  await using topic = await openProducer(config.topic, { log, signal });
  await using raw = await openRawStore(config.raw, { log, signal });
  const source = openSource(config.source, { log });
  const worker = `${process.pid}-${crypto.randomUUID()}`;
  const pause = createPause(options, signal);

  const pausingSource: Source = {
    fetch: async (request, signal) => {
      await pause("before-fetch");
      const page = await source.fetch(request, signal);
      await pause("after-body");
      return page;
    },
  };
  const pausingTopic: Publisher = {
    publish: async (events) => {
      await pause("before-produce");
      const refused = await topic.publish(events);
      await pause("after-ack");
      return refused;
    },
  };
  await together(signal, [
    (signal) => performRuns(raw.runs, pausingSource, { worker, log, signal }),
    (signal) => rawToTopic(raw.outbox, pausingTopic, { batchRows, log, signal }),
  ]);
  return 0;
});
