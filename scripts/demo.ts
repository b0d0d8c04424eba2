import { existsSync } from "node:fs";
import { prepared } from "../lib/local/prepare.ts";

// On a fresh machine nothing is installed yet: only what is built in may be imported before this.
const fresh = !existsSync(new URL("../node_modules", import.meta.url));
if (!(await prepared("demo", { javaHome: Bun.env.JAVA_HOME }))) process.exit(1);
// Bun remembers that there were no packages when this process started: another one finds them.
if (fresh) {
  const again = [process.execPath, ...process.argv.slice(1)];
  process.exit(await Bun.spawn(again, { stdio: ["inherit", "inherit", "inherit"] }).exited);
}
const { run } = await import("../lib/run.ts");
const { jsonLine } = await import("../lib/printable.ts");
const { openDemo } = await import("../lib/local/demo.ts");
const { openRawStore } = await import("../lib/raw/postgres.ts");
const { openReader } = await import("../lib/topic/reader.ts");
const { openSink } = await import("../lib/sink/cassandra.ts");

const command = {
  name: "demo",
  about: "Servers, one run from the API to the table, a look at every station, verification.",
  options: { results: { type: "string", value: "N", about: "how many users (1000)" } },
} as const;

await run(command, async ({ config, log, options, signal }) => {
  const sourceUrl = config.source.url;
  await using demo = await openDemo({ sourceUrl, env: Bun.env, signal });
  if (demo.local) await demo.bun("servers", "up");
  await demo.bun("ingest", "--once", "--results", options.results ?? "1000");
  await demo.bun("consume", "--drain");

  await using sink = await openSink(config.sink, { log, signal });
  await using topic = await openReader(config.topic, { log, signal });
  await using raw = await openRawStore(config.raw, { log, signal });
  const show = (title: string, rows: readonly unknown[]) => {
    demo.say(`# ${title}`);
    for (const row of rows) process.stdout.write(`${jsonLine(row).slice(0, 400)}…\n`);
  };
  const { keyspace, table } = config.sink;
  show("PostgreSQL: two of raw_users", await raw.sample(2));
  show(`Kafka: two records of ${config.topic.name}`, await topic.sample(config.topic.name, 2));
  show(`Cassandra: two rows of ${keyspace}.${table}`, await sink.sample(2));

  await demo.bun("verify");
  if (demo.local) demo.say("The servers stay up. `bun run servers down` stops them.");
  return 0;
});
