import { userId } from "../lib/arguments.ts";
import { PipelineError } from "../lib/errors.ts";
import { traceUser } from "../lib/flow/trace-user.ts";
import { print } from "../lib/print.ts";
import { jsonLine } from "../lib/printable.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { run } from "../lib/run.ts";
import { openSink } from "../lib/sink/cassandra.ts";
import { openReader } from "../lib/topic/reader.ts";
import { userRecords } from "../lib/topic/user-records.ts";
import { traceText } from "../lib/trace-text.ts";

const command = {
  name: "trace",
  about: "One user's way through the stations: run, raw row, place on the topic, row in the table.",
  positionals: "ID",
  options: {
    json: { type: "boolean", about: "print JSON" },
  },
} as const;

await run(command, async ({ config, log, options, positionals, signal, startProgress }) => {
  const id = userId(positionals);
  await using table = await openSink(config.sink, { log, signal, readOnly: true });
  await using reader = await openReader(config.topic, { log, signal });
  await using raw = await openRawStore(config.raw, { log, signal, readOnly: true });
  using progress = startProgress({ label: "trace", unit: "found" });
  const stations = { raw: raw.received, topic: userRecords(reader, config.topic), table };
  const found = await traceUser(id, stations, { signal, onProgress: progress.show });
  if (!found) throw new PipelineError("refused", `nothing is known of a user ${id}`);
  await print(options.json ? `${jsonLine(found)}\n` : traceText(found));
  return found.state === "missing" ? 1 : 0;
});
