import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Schedule } from "../../../lib/domain/schedule.ts";
import { openListener } from "../../../lib/raw/bell.ts";
import { migrate } from "../../../lib/raw/migrate.ts";
import { createSharedSchedule } from "../../../lib/raw/schedule.ts";
import { scheduleContract, start } from "../../contracts/schedule.ts";
import { manual, rawStores } from "../../raw-store.ts";
import { openDatabase } from "../../stations.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();
const hourly = { cron: "0 * * * *", timezone: "UTC" };
const defaults: Omit<Schedule, "cron" | "timezone"> = {
  ...{ paused: false, catchup: false, maxActiveRuns: 16, version: 1 },
  overlap: "queue",
};

scheduleContract("the schedule in PostgreSQL", async () => {
  const it = await openStore();
  await it.schedule.apply(hourly);
  await it.sql`update schedule set watermark = ${start.toISOString()}`;
  return {
    store: it.schedule,
    change: (settings) => it.schedule.change(settings),
    made: async () => {
      const rows = await it.sql<{ at: Date; state: string; error: string | null }[]>`
        select logical_time as at, state, error from runs order by id`;
      return rows.map(({ at, state, error }) => [at.toISOString(), state, error] as const);
    },
    [Symbol.asyncDispose]: it[Symbol.asyncDispose],
  };
});

describe("the schedule", () => {
  test("is that of the settings, at first and whenever they change", async () => {
    await using it = await openStore();
    expect(await it.schedule.apply(hourly)).toEqual({ ...hourly, ...defaults });
    const berlin = { cron: "5 4 * * *", timezone: "Europe/Berlin" };
    expect(await it.schedule.apply(berlin)).toEqual({ ...berlin, ...defaults, version: 2 });
    expect(await it.schedule.get()).toEqual({ ...berlin, ...defaults, version: 2 });
  });

  test("set at run time outlives a restart with the same settings, and not one with others", async () => {
    await using it = await openStore();
    await it.schedule.apply(hourly);
    await it.schedule.change({ cron: "1 1 * * *", paused: true, overlap: "skip" });
    expect(await it.schedule.apply(hourly)).toMatchObject({ cron: "1 1 * * *", paused: true });
    const others = { ...hourly, cron: "2 2 * * *" };
    expect(await it.schedule.apply(others)).toMatchObject({ ...others, overlap: "skip" });
  });

  test("is there before anybody has applied settings", async () => {
    await using it = await openStore();
    expect(await it.schedule.get()).toEqual({ ...hourly, ...defaults });
    expect(await it.schedule.change({ catchup: true })).toMatchObject({ catchup: true });
  });

  test("is not changed by who has seen another version of it", async () => {
    await using it = await openStore();
    await it.schedule.apply(hourly);
    const { version } = await it.schedule.get();
    const changed = await it.schedule.change({ maxActiveRuns: 2 }, { version });
    expect(changed).toMatchObject({ maxActiveRuns: 2, version: version + 1 });
    expect(await it.schedule.change({ maxActiveRuns: 3 }, { version })).toBeUndefined();
    expect(await it.schedule.get()).toMatchObject({ maxActiveRuns: 2 });
  });

  test("loses no change of those made at once", async () => {
    await using it = await openStore();
    await it.schedule.apply(hourly);
    const changes = [
      { paused: true },
      { catchup: true },
      { maxActiveRuns: 7 },
      { cron: "1 * * * *" },
    ];
    await Promise.all(changes.map((change) => it.schedule.change(change)));
    expect(await it.schedule.get()).toMatchObject({
      ...{ paused: true, catchup: true, maxActiveRuns: 7, cron: "1 * * * *", version: 5 },
    });
  });

  test("counts the scheduled runs that have not ended, and no others", async () => {
    await using it = await openStore();
    await it.schedule.apply(hourly);
    await it.runs.create(manual);
    const states = ["queued", "running", "success", "failed", "cancelled", "skipped"];
    for (const [at, state] of states.entries()) {
      const { id } = await it.runs.create({
        ...{ ...manual, trigger: "schedule", logicalTime: new Date(at * 1000) },
      });
      await it.sql`update runs set state = ${state} where id = ${id}`;
    }
    expect((await it.schedule.standing()).active).toBe(2);
  });

  test("makes no second run of a logical time", async () => {
    await using it = await openStore();
    await it.schedule.apply(hourly);
    const noon = new Date("2026-01-01T12:00:00Z");
    const { id } = await it.runs.create({ ...manual, trigger: "backfill", logicalTime: noon });
    const decision = { logicalTimes: [noon], skipped: null, watermark: noon };
    await it.schedule.move(await it.schedule.standing(), decision, { results: 1, nat: [] });
    expect((await it.runs.list({ limit: 10 })).map((run) => run.id)).toEqual([id]);
  });
});

describe("the watermark", () => {
  const open = async () => {
    const it = await openStore();
    await it.schedule.apply(hourly);
    await it.sql`update schedule set watermark = ${start.toISOString()}`;
    const watermark = async () => (await it.schedule.standing()).watermark;
    const isNow = async () => {
      const { watermark, now } = await it.schedule.standing();
      return now.getTime() - watermark.getTime() < 3_600_000;
    };
    return { ...it, watermark, isNow };
  };

  test("begins now", async () => {
    await using it = await openStore();
    await it.schedule.apply(hourly);
    const { watermark, now } = await it.schedule.standing();
    expect(now.getTime() - watermark.getTime()).toBeLessThan(3_600_000);
  });

  test("stays where it is when neither times nor pause change", async () => {
    await using it = await open();
    await it.schedule.change({ ...hourly, maxActiveRuns: 2, catchup: true, overlap: "skip" });
    await it.schedule.apply(hourly);
    expect(await it.watermark()).toEqual(start);
  });

  test.each([{ cron: "1 * * * *" }, { timezone: "Asia/Kolkata" }])(
    "is now when %j is set",
    async (change) => {
      await using it = await open();
      await it.schedule.change({ catchup: true });
      await it.schedule.change(change);
      expect(await it.isNow()).toBe(true);
    },
  );

  test("is now when other settings are applied", async () => {
    await using it = await open();
    await it.schedule.apply({ ...hourly, timezone: "Asia/Kolkata" });
    expect(await it.isNow()).toBe(true);
  });

  test("of a schedule that is resumed is now without catch-up, and what it was with it", async () => {
    await using it = await open();
    await it.schedule.change({ paused: true, catchup: true });
    await it.schedule.change({ paused: false });
    expect(await it.watermark()).toEqual(start);
    await it.schedule.change({ paused: true, catchup: false });
    expect(await it.watermark()).toEqual(start);
    await it.schedule.change({ paused: false });
    expect(await it.isNow()).toBe(true);
  });

  test("of an older database is its newest scheduled run", async () => {
    await using it = await openDatabase();
    await migrate(it.sql);
    await it.sql`delete from migrations where name = '0005-schedule.sql'`;
    await it.sql`
      alter table schedule drop catchup, drop max_active_runs, drop overlap,
        drop version cascade, drop watermark`;
    await it.sql`insert into schedule default values`;
    await it.sql`
      insert into runs (trigger, logical_time, seed, results)
      values ('schedule', ${start.toISOString()}, 'a', 1), ('backfill', now(), 'b', 1)`;
    expect(await migrate(it.sql)).toEqual(["0005-schedule.sql"]);
    expect([...(await it.sql`select watermark from schedule`)]).toEqual([{ watermark: start }]);
  });
});

test("a change is noticed at once", async () => {
  await using it = await openStore();
  // Looking anyway comes too late for this test: what wakes is the notification.
  const pollMs = 600_000;
  await using listener = openListener(it.config.url, { pollMs });
  const schedule = createSharedSchedule(it.sql, listener.bell("schedule"));
  const heard = schedule.wait(never, pollMs);
  let woken = false;
  void heard.then(() => {
    woken = true;
  });
  await until(async () => {
    await it.schedule.change({ paused: true });
    return woken;
  });
});
