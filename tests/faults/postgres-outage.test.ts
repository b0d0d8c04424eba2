import { expect, setDefaultTimeout, test } from "bun:test";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../lib/log.ts";
import { connect } from "../../lib/raw/client.ts";
import { openRawStore } from "../../lib/raw/postgres.ts";
import { openReader } from "../../lib/topic/reader.ts";
import { ownPostgres } from "../own-postgres.ts";
import { startScript } from "../scripts.ts";
import { openTopics } from "../stations.ts";
import { until } from "../until.ts";
import { never } from "../users.ts";

setDefaultTimeout(300_000);

/** Longer than a call, or the time between two heartbeats, takes. */
const outageMs = 15_000;
const [runs, users] = [6, 1000];

test("ingest waits for a PostgreSQL that is away, says so once in each loop, and goes on by itself", async () => {
  await using postgres = await ownPostgres();
  await using topics = await openTopics({ partitions: 2 });
  await using api = startFakeApi();
  const { config: topic } = topics;
  const settings = {
    ...{ DATABASE_URL: postgres.url, SOURCE_URL: api.url, PORT: "0", RUNS_AT_ONCE: "1" },
    ...{
      KAFKA_BROKERS: topic.brokers.join(","),
      KAFKA_TOPIC: topic.name,
      KAFKA_GROUP: topic.group,
    },
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
  };
  await using ingest = startScript("ingest", [], settings);
  const listening = /"url":"([^"]+)","msg":"listening"/;
  await ingest.says(listening);
  const readyz = async () => {
    const answer = await fetch(`${listening.exec(ingest.stderr)?.[1]}readyz`);
    return { status: answer.status, text: await answer.text() };
  };
  await until(async () => (await readyz()).status === 200, { everyMs: 100 });
  await using raw = await openRawStore({ url: postgres.url }, { log, signal: never });
  for (let run = 0; run < runs; run++) {
    await raw.runs.create({ trigger: "manual", results: users, nat: [] });
  }
  await ingest.says('"msg":"run succeeded"');

  await postgres.stop();
  const from = performance.now();
  const relay = "the relay from PostgreSQL to Kafka";
  await until(async () => (await readyz()).text.includes(relay), { everyMs: 100 });
  const away = async () => {
    const { status, text } = await readyz();
    expect({ status, text }).toEqual({ status: 503, text: expect.stringContaining(relay) });
    return performance.now() > from + outageMs;
  };
  await until(away, { everyMs: 500 });
  await postgres.start();

  await using closing = new AsyncDisposableStack();
  const sql = connect(postgres.url, { connections: 1 });
  closing.defer(() => sql.end({ timeout: 1 }));
  const left = async () => {
    const [row] = await sql<{ left: number }[]>`
      select (select count(*) from runs where state <> 'success') + (select count(*) from outbox) as left`;
    return row?.left;
  };
  await until(async () => (await left()) === 0, { everyMs: 100 });
  await until(async () => (await readyz()).status === 200, { everyMs: 100 });
  await until(async () => {
    const held = await sql`
      select from pg_stat_activity where state like 'idle in transaction%'`;
    return held.length === 0;
  });
  const kept = await sql`select count(*) as rows, count(distinct user_id) as users from raw_users`;
  expect(kept[0]).toEqual({ rows: runs * users, users: runs * users });
  await using reader = await openReader(topic, { log, signal: never });
  const published = (await Array.fromAsync(reader.read(topic.name))).flat();
  expect(new Set(published.map(({ key }) => String(key))).size).toBe(runs * users);

  const told = waitsIn(ingest.stderr);
  expect(told.filter(({ msg, what }) => msg === "waiting" && what === relay)).toHaveLength(1);
  expect(told.filter(({ msg, what }) => msg === "there again" && what === relay)).toHaveLength(1);
  // The relay, the schedule, the queue of runs; and in the middle of a run its page.
  expect(told.filter(({ msg }) => msg === "waiting").length).toBeLessThanOrEqual(4);
  expect((await ingest.end("SIGTERM")).exitCode).toBe(0);
});

interface Line {
  readonly msg: string;
  readonly what?: string;
}

function waitsIn(stderr: string): readonly Line[] {
  const lines = stderr.split("\n").filter((line) => line.startsWith("{"));
  return lines
    .map((line): Line => JSON.parse(line))
    .filter(({ msg }) => msg === "waiting" || msg === "there again");
}
