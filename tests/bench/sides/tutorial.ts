import postgres from "postgres";
import { readConfig } from "../../../lib/config.ts";
import { type Event, encode } from "../../../lib/domain/event.ts";
import { parseApiUser } from "../../../lib/domain/user.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openProducer } from "../../../lib/topic/producer.ts";
import { never } from "../../users.ts";
import { openWindow, tell } from "../window.ts";

/**
 * tutorial loop|batches COUNT: what the well-known tutorial does, one user after the other (ask the
 * API, insert, send), or the same work in pages of 5,000, with COPY. Neither writes the table.
 */
const [mode, count] = process.argv.slice(2);
const config = readConfig(Bun.env);
const sql = postgres(config.raw.url, { onnotice: () => {} });
await sql`create table raw_users (payload json not null)`;
const topic = await openProducer(config.topic, { log, signal: never });
const page = mode === "loop" ? 1 : 5000;
await move(page);
const window = openWindow();
let done = 0;
while (done < Number(count)) done += await move(page);
tell(window.close(done));
process.exit(0);

async function move(results: number): Promise<number> {
  const answer = await fetch(`${config.source.url}?results=${results}`);
  const users = ((await answer.json()) as { results: unknown[] }).results;
  if (mode === "loop") {
    await sql`insert into raw_users (payload) values (${JSON.stringify(users[0])}::text::json)`;
  } else await copy(users);
  await topic.publish(users.map(event));
  return users.length;
}

async function copy(users: readonly unknown[]): Promise<void> {
  const copying = await sql`copy raw_users (payload) from stdin`.writable();
  const text = users.map((user) => `${JSON.stringify(user).replaceAll("\\", "\\\\")}\n`).join("");
  await new Promise<void>((resolve, reject) => {
    copying.on("error", reject).on("finish", resolve).end(text);
  });
}

function event(user: unknown): Event {
  const judged = parseApiUser(user);
  if ("rejection" in judged) throw new Error(judged.rejection.reason);
  return encode({ user: judged.user, version: Date.now() * 1000 }, { run: 1, raw: 1 });
}
