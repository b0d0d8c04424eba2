import { startScript } from "../scripts.ts";
import { openDatabase, openTopics } from "../stations.ts";

/*
 * From `POST /api/runs` to the first request of the run at the API, in milliseconds, as a caller and the
 * API see it: `bun tests/bench/trigger.ts [COUNT]`, one run after the other. Needs TEST_DATABASE_URL and
 * TEST_KAFKA_BROKERS.
 */
const count = Number(process.argv[2] ?? 100);

let asked = Promise.withResolvers<number>();
await using api = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: () => {
    asked.resolve(performance.now());
    return Response.json({ results: [{}] });
  },
});
await using database = await openDatabase();
await using topics = await openTopics();
await using ingest = startScript("ingest", [], {
  ...{ DATABASE_URL: database.config.url, KAFKA_BROKERS: topics.config.brokers.join(",") },
  ...{
    KAFKA_TOPIC: topics.config.name,
    SOURCE_URL: api.url.href,
    SCHEDULE: "0 0 1 1 *",
    PORT: "0",
  },
});
await ingest.says(/"msg":"listening"/);
const url = /"url":"([^"]+)"/.exec(ingest.stderr)?.[1];

const body = JSON.stringify({ results: 1 });
const headers = { "content-type": "application/json" };
const times: number[] = [];
for (let n = 0; n < count + 5; n++) {
  asked = Promise.withResolvers();
  const started = performance.now();
  const answer = await fetch(new URL("/api/runs", url), { method: "POST", headers, body });
  if (answer.status !== 202) throw new Error(`answered ${answer.status}`);
  // The first ones pay for what is opened once.
  const ms = (await asked.promise) - started;
  if (n >= 5) times.push(ms);
}
await ingest.end("SIGTERM");

const at = (share: number) => times.toSorted((a, b) => a - b)[Math.floor(share * (count - 1))];
const shown = (ms = Number.NaN) => `${ms.toFixed(1)} ms`;
process.stdout.write(`${count} runs: median ${shown(at(0.5))}, p95 ${shown(at(0.95))}\n`);
