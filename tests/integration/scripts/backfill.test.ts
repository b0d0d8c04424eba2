import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { startFakeApi } from "../../../lib/local/fake-api/server.ts";
import type { Backfilled } from "../../../lib/schedule/backfill.ts";
import type { ScheduleView } from "../../../lib/schedule/desk.ts";
import { jsonOf, startScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../../stations.ts";
import { until } from "../../until.ts";

setDefaultTimeout(400_000);

/** TEST_BACKFILL_TIMES=200 for the long form. */
const count = Number(process.env.TEST_BACKFILL_TIMES ?? 20);

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(async () => {
  await keyspace[Symbol.asyncDispose]();
});

/** A pipeline whose schedule is daily, in the past of which nothing has run. */
async function open() {
  await using opening = new AsyncDisposableStack();
  const pipeline = opening.use(await openPipeline(keyspace));
  const api = opening.use(startFakeApi());
  const settings = {
    ...{ ...pipeline.settings, SOURCE_URL: api.url, RESULTS: "10" },
    // A minute that is hours away from any test.
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
  };
  const { sql } = pipeline.database;
  const runs = <T>(...args: string[]) => jsonOf<T>("runs", args, settings);
  const owned = opening.move();
  return {
    ...{ ...pipeline, settings, runs, sql },
    /** The ids in the table. */
    ids: async () => {
      const found = await keyspace.client.execute(`select id from ${pipeline.table}`);
      const rows = await Array.fromAsync(found);
      return rows.map((row) => String(row.get("id"))).toSorted();
    },
    isDone: async () => {
      const open = await sql`
        select id from runs where state in ('queued', 'running')
        union all select raw_id from outbox limit 1`;
      return open.length === 0;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** So many days before the first of February 2026. */
const end = Date.UTC(2026, 1, 1);
const range = [
  ...["--from", new Date(end - count * 86_400_000).toISOString()],
  ...["--to", new Date(end).toISOString()],
];

test("a backfill repeated gives the same ids in the table, and runs what its dry run lists", async () => {
  await using it = await open();
  await using ingest = startScript("ingest", [], it.settings);
  await ingest.says("listening");
  const backfilled = async (...options: string[]) => {
    const asked = ["backfill", ...range, "--max-active", "4", ...options];
    const dry = await it.runs<Backfilled>(...asked, "--dry-run");
    expect(dry).toMatchObject({ backfill: null, runs: { length: count } });
    const { runs, backfill } = await it.runs<Backfilled>(...asked);
    expect(runs).toEqual(dry.runs);
    expect(backfill).toMatchObject({ runs: count });
    await until(it.isDone, { everyMs: 50, timeoutMs: 300_000 });
    const made = await it.sql<{ time: Date }[]>`
        select logical_time as time from runs
        where backfill_id = ${backfill?.id ?? 0} and state = 'success' order by logical_time`;
    expect(made.map(({ time }) => time.toISOString())).toEqual(
      dry.runs.map(({ logicalTime }) => logicalTime),
    );
    await jsonOf("consume", ["--drain"], it.settings);
  };

  await backfilled();
  const ids = await it.ids();
  expect(ids).toHaveLength(count * 10);
  const nothing = await it.runs<Backfilled>("backfill", ...range);
  expect(nothing).toMatchObject({ backfill: null, runs: [] });

  await backfilled("--reprocess", "completed");
  expect(await it.ids()).toEqual(ids);
  expect((await ingest.end("SIGTERM")).exitCode).toBe(0);
  const [raw] = await it.sql`select count(*) from raw_users`;
  expect(raw).toEqual({ count: count * 20 });
  expect(await jsonOf("verify", [], it.settings)).toMatchObject({
    ...{ raw: count * 20, table: count * 10, lost: 0, invented: 0, stale: 0, pending: 0 },
  });
  const attempts = await it.sql`select attempt, count(*) from runs group by attempt`;
  expect([...attempts]).toEqual([{ attempt: 2, count }]);
});

test("a service follows the schedule as it is changed, without a restart", async () => {
  await using it = await open();
  await using ingest = startScript("ingest", [], it.settings);
  await ingest.says("listening");
  const made = async () => {
    const [row] = await it.sql<{ count: number }[]>`select count(*) from runs`;
    return row?.count ?? 0;
  };
  const seconds = await it.runs<ScheduleView>("schedule", "--cron", "* * * * * *");
  expect(seconds).toMatchObject({ cron: "* * * * * *", paused: false, next: expect.any(String) });
  await until(async () => (await made()) > 1, { everyMs: 50 });

  expect(await it.runs<ScheduleView>("pause")).toMatchObject({ paused: true, next: null });
  expect(await it.runs<string[]>("next")).toEqual([]);
  const before = await made();
  // The watermark moves on while nothing is made.
  const passed = async () => {
    const [row] = await it.sql<{ since: number }[]>`
      select extract(epoch from watermark - (select max(logical_time) from runs))::float8 as since
      from schedule`;
    return (row?.since ?? 0) >= 2;
  };
  await until(passed, { everyMs: 50 });
  expect(await made()).toBe(before);

  await it.runs<ScheduleView>("resume");
  expect(await it.runs<string[]>("next", "--limit", "3")).toHaveLength(3);
  await until(async () => (await made()) > before, { everyMs: 50 });
  expect((await ingest.end("SIGTERM")).exitCode).toBe(0);
});
