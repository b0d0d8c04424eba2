import { PipelineError } from "../lib/errors.ts";
import { isClean, type Verification, verify } from "../lib/flow/verify.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { run } from "../lib/run.ts";
import { openSink } from "../lib/sink/cassandra.ts";
import { letterOrigin } from "../lib/topic/dead-letters.ts";
import { openReader } from "../lib/topic/reader.ts";
import { held } from "../lib/topic/watermarks.ts";

const command = {
  name: "verify",
  about: "Compares the stations: is every record received in the table, as it was received?",
  options: {
    json: { type: "boolean", about: "print the counts as JSON" },
    ids: { type: "boolean", about: "list the ids that differ, the first 1000 of each kind" },
  },
} as const;

await run(command, async ({ config, log, options, signal, startProgress }) => {
  await using table = await openSink(config.sink, { log, signal, readOnly: true });
  await using reader = await openReader(config.topic, { log, signal });
  await using raw = await openRawStore(config.raw, { log, signal, readOnly: true });
  await using ledger = await raw.openLedger();
  using progress = startProgress({ label: "verify", unit: "so far" });
  const { name, deadLetters } = config.topic;
  if ((await reader.watermarks(name)).size === 0) {
    throw new PipelineError("refused", `there is no topic ${name}: \`bun run migrate\` creates it`);
  }
  const records = async () => held(await reader.watermarks(name));
  const found = await verify(
    { ledger, table, topic: { ...reader, name, deadLetters, records, letter: letterOrigin } },
    {
      signal,
      ids: options.ids ?? false,
      onProgress: (done, what, about) => {
        progress.expect(about, "about");
        progress.show(done, what);
      },
    },
  );
  process.stdout.write(options.json ? `${JSON.stringify(found)}\n` : text(found));
  return isClean(found) ? 0 : 1;
});

function text({ ids, ...counts }: Verification): string {
  const lines = Object.entries(counts).map(([name, count]) => `${name.padEnd(12)}${count}`);
  const listed = Object.entries(ids ?? {}).flatMap(([kind, all]) =>
    all.map((id: string) => `${kind} ${id}`),
  );
  const verdict = isClean(counts) ? "clean: nothing lost, invented or stale" : "NOT clean";
  return `${[...lines, ...listed, verdict].join("\n")}\n`;
}
