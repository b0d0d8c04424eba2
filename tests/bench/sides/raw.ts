import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import postgres from "postgres";
import { readConfig } from "../../../lib/config.ts";
import { pageUsers } from "../../../lib/domain/run.ts";
import { type Page, sourceToRaw } from "../../../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { sleep } from "../../../lib/sleep.ts";
import { silentNotes as notes } from "../../performing.ts";
import { apiUsers, never } from "../../users.ts";
import { openWindow, tell } from "../window.ts";

/** raw ours|copy WARM COUNT: our pages, or COPY of the same text into one table. */
const [mode, warm, count] = process.argv.slice(2);
const config = readConfig(Bun.env).raw;
const pages = Array.from({ length: 4 }, (_, at): Page => {
  const users = apiUsers(pageUsers, `raw-${at}-`);
  return { payloads: users.map((user) => JSON.stringify(user)), users };
});
const pageAt = (at: number): Page => pages[at % pages.length] as Page;

/** A line a user, as text that COPY reads. */
const lines = pages.map(({ users }) =>
  users.map((user) => `${JSON.stringify(user).replaceAll("\\", "\\\\")}\n`).join(""),
);

const sql = postgres(config.url, { onnotice: () => {} });
const raw = await openRawStore(config, { log, signal: never });
await sql.unsafe(`
  truncate raw_users, outbox, rejected_users;
  drop table if exists copied;
  create table copied (payload json not null)`);
await sql.unsafe("checkpoint");
const write = mode === "ours" ? throughRuns : throughCopy;
await write(Number(warm));
const window = openWindow();
await write(Number(count));
tell(window.close(Number(count)));
process.exit(0);

/** A run from its claim to its last page, with a source that has its pages already. */
async function throughRuns(users: number): Promise<void> {
  if (users === 0) return;
  const { runs } = raw;
  const made = await runs.create({ trigger: "manual", results: users, nat: [] });
  const run = await runs.claim("bench", made.id);
  if (run === undefined) throw new Error("the run is not to be had");
  const source = {
    fetch: async ({ page, results }: { page: number; results: number }) => {
      // No answer comes in the turn in which it was asked for.
      await sleep(1);
      return results === pageUsers ? pageAt(page) : part(pageAt(page), results);
    },
  };
  await sourceToRaw(run, source, runs, { notes, log, signal: never });
}

function part({ payloads, users }: Page, results: number): Page {
  const some = users.slice(0, results);
  return { payloads: payloads.slice(0, results), users: some };
}

async function throughCopy(users: number): Promise<void> {
  for (let page = 0; page * pageUsers < users; page++) {
    const text = lines[page % lines.length] ?? "";
    await pipeline(Readable.from([text]), await sql`copy copied from stdin`.writable());
  }
}
