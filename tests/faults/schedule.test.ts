import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { parseFaults } from "../../lib/local/fake-api/faults.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../lib/log.ts";
import { openRawStore } from "../../lib/raw/postgres.ts";
import { expectNothingLost } from "../fixtures/faults/invariant.ts";
import { jsonOf, type RunningScript, startScript } from "../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../stations.ts";
import { until } from "../until.ts";
import { never } from "../users.ts";

setDefaultTimeout(400_000);

/** TEST_SCHEDULE_SECONDS=120 for the long form, in which time passes as it does. */
const seconds = Number(process.env.TEST_SCHEDULE_SECONDS ?? 12);
const isLong = seconds >= 60;
const frozenMs = isLong ? 20_000 : 4000;
const maxActiveRuns = 3;

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(async () => {
  await keyspace[Symbol.asyncDispose]();
});

/** A pipeline whose schedule is due every other second, and eyes on its runs. */
async function open() {
  await using opening = new AsyncDisposableStack();
  const pipeline = opening.use(await openPipeline(keyspace));
  const api = opening.use(startFakeApi({ faults: parseFaults("slow=700") }));
  const raw = opening.use(await openRawStore(pipeline.database.config, { log, signal: never }));
  const settings = {
    ...{ ...pipeline.settings, SOURCE_URL: api.url },
    ...{ SCHEDULE: "*/2 * * * * *", RESULTS: "5" },
  };
  const { sql } = pipeline.database;
  await raw.schedule.apply({ cron: settings.SCHEDULE, timezone: "UTC" });
  await raw.schedule.change({ catchup: true, overlap: "queue", maxActiveRuns });
  // For so long no instance has run: that is made up for.
  await sql`update schedule set watermark = now() - interval '10 seconds'`;
  const heldBy = ({ pid }: RunningScript) => sql<{ id: number }[]>`
    select id from runs where state = 'running' and worker like ${`${pid}-%`}`;
  const owned = opening.move();
  return {
    ...{ ...pipeline, settings, sql, raw, store: keyspace.client },
    start: () => startScript("ingest", [], settings),
    holdsRun: (script: RunningScript) =>
      until(async () => (await heldBy(script)).length > 0, { everyMs: 20 }),
    /** A worker that is dead has been silent for long enough. */
    outwait: async (script: RunningScript) => {
      await sql`
        update runs set heartbeat_at = now() - interval '1 hour'
        where state = 'running' and worker like ${`${script.pid}-%`}`;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test("with one of three instances killed and one frozen, every logical time has one successful run", async () => {
  await using it = await open();
  const { watermark: begin } = await it.raw.schedule.standing();
  await using killed = it.start();
  await using frozen = it.start();
  await using well = it.start();
  let most = 0;
  const after = async (ms: number) => {
    const { now } = await it.raw.schedule.standing();
    const passed = async () => {
      const running = await it.raw.runs.list({ limit: 100, states: ["running"] });
      most = Math.max(most, running.length);
      return (await it.raw.schedule.standing()).now.getTime() > now.getTime() + ms;
    };
    await until(passed, { everyMs: 100, timeoutMs: ms + 120_000 });
  };

  await Promise.all([killed, frozen, well].map(it.holdsRun));
  await after((seconds * 1000) / 4);
  await it.holdsRun(killed);
  await killed.end("SIGKILL");
  await it.holdsRun(frozen);
  frozen.signal("SIGSTOP");
  await after(frozenMs);
  frozen.signal("SIGCONT");
  await after(Math.max(0, seconds * 750 - frozenMs));
  if (!isLong) await it.outwait(killed);

  const { now: end } = await it.raw.schedule.standing();
  await until(async () => (await it.raw.schedule.standing()).watermark > end, { everyMs: 100 });
  await it.raw.schedule.change({ paused: true });
  const { watermark: last } = await it.raw.schedule.standing();
  const isDone = async () =>
    (await it.raw.runs.list({ limit: 1, states: ["queued", "running"] })).length === 0;
  await until(isDone, { everyMs: 100, timeoutMs: 180_000 });
  for (const script of [frozen, well]) {
    expect(await script.end("SIGTERM")).toMatchObject({ exitCode: 0 });
  }
  const runs = await it.sql<{ at: number; state: string; successes: number }[]>`
    select extract(epoch from logical_time)::bigint as at, state,
      (select count(*) from run_attempts where run_id = id and outcome = 'success') as successes
    from runs order by logical_time`;
  const first = Math.floor(begin.getTime() / 2000) * 2 + 2;
  const times = Array.from({ length: (last.getTime() / 1000 - first) / 2 + 1 }, (_, n) => n);
  expect([...runs]).toEqual(
    times.map((n) => ({ at: first + 2 * n, state: "success", successes: 1 })),
  );
  expect(most).toBeLessThanOrEqual(maxActiveRuns);
  await jsonOf("consume", ["--drain"], it.settings);
  expect(await expectNothingLost(it)).toMatchObject({ raw: times.length * 5, lost: 0 });
});
