import { readConfig } from "../../../lib/config.ts";
import { type Event, encode } from "../../../lib/domain/event.ts";
import { parseApiUser } from "../../../lib/domain/user.ts";
import { type Outbox, type Publisher, rawToTopic } from "../../../lib/flow/raw-to-topic.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { connect } from "../../../lib/raw/client.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { openProducer } from "../../../lib/topic/producer.ts";
import { apiUsers, never } from "../../users.ts";
import { openWindow, tell, type Window } from "../window.ts";

/** relay ours|take|publish WARM COUNT: the relay, or one side of it without the other. */
const [mode, warm, count] = process.argv.slice(2);
const config = readConfig(Bun.env);
const options = { log, signal: never };
const total = Number(warm) + Number(count);
/** As `rawToTopic` takes them. */
const batchRows = 2000;
const stop = new AbortController();
let window: Window | undefined;
let first = 0;
let done = 0;

const nowhere: Publisher = { publish: async () => [] };
const topic = mode === "take" ? nowhere : await openProducer(config.topic, options);
if (mode === "publish") await publishAlone();
else await takeFrom((await openRawStore(config.raw, options)).outbox);
process.exit(0);

async function takeFrom(outbox: Outbox): Promise<void> {
  const sql = connect(config.raw.url);
  await sql.unsafe(`
    create table if not exists filled as select * from outbox;
    truncate outbox;
    insert into outbox select * from filled order by run_id, raw_id limit ${total}`);
  await sql.unsafe("vacuum analyze outbox");
  const counting: Outbox = {
    ...outbox,
    take: async (limit, handle) => did(await outbox.take(limit, handle)),
  };
  if (mode === "ours") {
    await rawToTopic(counting, topic, { log, signal: stop.signal }).catch((error) => {
      if (error !== stop.signal.reason) throw error;
    });
  } else {
    while (!stop.signal.aborted) await counting.take(batchRows, async () => []);
  }
}

async function publishAlone(): Promise<void> {
  const events = apiUsers(5000, "relay").map((user, at): Event => {
    const judged = parseApiUser(user);
    if ("rejection" in judged) throw new Error(judged.rejection.reason);
    return encode({ user: judged.user, version: 1_700_000_000_000_000 + at }, { run: 1, raw: at });
  });
  while (!stop.signal.aborted) {
    const from = done % events.length;
    const batch = events.slice(from, from + batchRows);
    await topic.publish(batch);
    did(batch.length);
  }
}

function did(rows: number): number {
  done += rows;
  if (window === undefined && done >= Number(warm)) {
    window = openWindow();
    first = done;
  } else if (done >= total && !stop.signal.aborted) {
    tell(window?.close(done - first));
    stop.abort();
  }
  return rows;
}
