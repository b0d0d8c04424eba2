import { readConfig } from "../../../lib/config.ts";
import { rawToTopic } from "../../../lib/flow/raw-to-topic.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { sleep } from "../../../lib/sleep.ts";
import { together } from "../../../lib/together.ts";
import { openProducer } from "../../../lib/topic/producer.ts";
import { apiUsers, judgedPage, never } from "../../users.ts";
import { tell } from "../window.ts";

/** latency-raw RATE COUNT: keeps users at a steady rate, and relays them as `ingest` does. */
const [rate, count] = process.argv.slice(2).map(Number);
const total = count ?? 0;
const perSecond = rate ?? 1;
const config = readConfig(Bun.env);
const topic = await openProducer(config.topic, { log, signal: never });
const { runs, outbox } = await openRawStore(config.raw, { log, signal: never });
const users = apiUsers(5000, "latency");
/** How often a page is kept. */
const tickMs = 10;
const done = new AbortController();

await together(done.signal, [
  async () => {
    await keep();
    while ((await outbox.waiting()) > 0) await sleep(tickMs, never);
    done.abort();
  },
  (signal) => rawToTopic(outbox, topic, { log, signal }),
]);
tell({ users: total });
process.exit(0);

/** Each page has what is due by then, so that a slow commit delays none of those after it. */
async function keep(): Promise<void> {
  const made = await runs.create({ trigger: "manual", results: total, nat: [] });
  const run = await runs.claim("bench", made.id);
  if (run === undefined) throw new Error("the run is not to be had");
  const since = performance.now();
  for (let page = 1, kept = 0; kept < total; page++) {
    const due = Math.floor(((performance.now() - since) / 1000) * perSecond);
    const until = Math.min(total, Math.max(due, kept + 1), kept + users.length);
    const some = Array.from({ length: until - kept }, (_, at) => users[(kept + at) % users.length]);
    await runs.commitPage(run, judgedPage(some, page));
    kept = until;
    const next = Math.max((kept / perSecond) * 1000, page * tickMs);
    await sleep(Math.max(0, since + next - performance.now()), never);
  }
}
