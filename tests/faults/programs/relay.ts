import { type Outbox, rawToTopic } from "../../../lib/flow/raw-to-topic.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { run } from "../../../lib/run.ts";
import { openProducer } from "../../../lib/topic/producer.ts";
import { createPause, pauseOptions } from "./pause.ts";

/* The relay of scripts/ingest.ts alone, pausing at a crash point: "taken", its rows in hand. */

const command = {
  name: "relay",
  about: "PostgreSQL -> Kafka, pausing at a crash point.",
  endless: () => true,
  options: {
    ...pauseOptions,
    "idle-ms": { type: "string", value: "N", about: "for how long it keeps rows when frozen" },
  },
} as const;

await run(command, async ({ config, log, options, signal }) => {
  const idleMs = options["idle-ms"];
  const idle = idleMs ? { idleInTransactionMs: Number(idleMs) } : {};
  await using topic = await openProducer(config.topic, { log, signal });
  await using raw = await openRawStore(config.raw, { log, signal, ...idle });
  const pause = createPause(options, signal);
  const outbox: Outbox = {
    ...raw.outbox,
    take: (limit, handle) =>
      raw.outbox.take(limit, async (rows, stillOurs) => {
        await pause("taken");
        return await handle(rows, stillOurs);
      }),
  };
  await rawToTopic(outbox, topic, { log, signal });
  return 0;
});
