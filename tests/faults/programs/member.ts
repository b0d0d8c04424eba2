import { writeSync } from "node:fs";
import { run } from "../../../lib/run.ts";
import { sleep } from "../../../lib/sleep.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";

/*
 * A member of the group whose work is slow and cannot be interrupted. It prints "partition offset"
 * for each record that it has dealt with, before the offset may be committed.
 */

const command = {
  name: "member",
  about: "Prints what it reads from the topic, slowly.",
  endless: () => true,
  options: {
    "batch-ms": { type: "string", value: "N", about: "how long a batch takes" },
    "batch-records": { type: "string", value: "N", about: "how large it is" },
  },
} as const;

await run(command, async ({ config, log, options, signal }) => {
  const batchRecords = Number(options["batch-records"] ?? 40);
  await using consumer = await openConsumer(config.topic, { log, signal, batchRecords });
  await consumer.batches(async (records) => {
    await sleep(Number(options["batch-ms"] ?? 100));
    const lines = records.map(({ partition, offset }) => `${partition} ${offset}\n`);
    writeSync(1, lines.join(""));
  }, signal);
  return 0;
});
