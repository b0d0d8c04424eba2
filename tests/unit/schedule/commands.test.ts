import { describe, expect, test } from "bun:test";
import type { Backfill, BackfillRequest } from "../../../lib/domain/backfill.ts";
import type { ScheduleChanges, Standing } from "../../../lib/domain/schedule.ts";
import { type GivenSchedule, scheduleCommand } from "../../../lib/schedule/commands.ts";
import { createBackfillDesk, createScheduleDesk } from "../../../lib/schedule/desk.ts";
import { failureOf } from "../../failure.ts";

const standing: Standing = {
  ...{ cron: "0 * * * *", timezone: "UTC", paused: false, catchup: false, maxActiveRuns: 1 },
  ...{ overlap: "queue", version: 1, active: 2 },
  watermark: new Date("2026-01-01T10:00:00Z"),
  now: new Date("2026-01-01T10:30:00Z"),
};
const defaults = { results: 7, nat: ["gb"] };
const made: Backfill = {
  ...{ id: 4, from: "A", to: "B", reprocess: "none", order: "oldest", maxActiveRuns: 1 },
  ...{ state: "running", runs: 3, createdAt: "C", cancelledAt: null },
  states: { queued: 2, running: 1, success: 0, failed: 0, cancelled: 0, skipped: 0 },
};

/** Does what the command line says; what it told, and what it asked for. */
async function done(line: string, given: GivenSchedule = {}, paused = false) {
  const asked: unknown[] = [];
  let at = { ...standing, paused };
  const schedule = {
    standing: async () => at,
    change: async (changes: ScheduleChanges) => {
      asked.push(changes);
      at = { ...at, ...(changes as Partial<Standing>), version: at.version + 1 };
      return at;
    },
  };
  const backfills = {
    runsBetween: async () => [],
    earlier: async () => undefined,
    create: async (request: BackfillRequest, runs: readonly unknown[]) => {
      asked.push({ ...request, runs: runs.length });
      return made;
    },
    get: async (id: number) => (id === 4 ? made : undefined),
    cancel: async (id: number, options: object = {}) => {
      asked.push({ id, ...options });
      return { ...made, state: "cancelled" } as const;
    },
    list: async ({ limit }: { limit: number }) => Array<Backfill>(Math.min(limit, 2)).fill(made),
  };
  const act = scheduleCommand(line.split(" "), given, defaults);
  const answer = await act?.({
    schedule: createScheduleDesk(schedule),
    backfills: createBackfillDesk(backfills, schedule),
  });
  return { ...answer, asked };
}

describe("runs", () => {
  test("schedule shows the schedule and its next time, and changes nothing", async () => {
    const { data, text, asked } = await done("schedule");
    expect(asked).toEqual([]);
    expect(data).toEqual({
      ...{ cron: "0 * * * *", timezone: "UTC", paused: false, catchup: false, maxActiveRuns: 1 },
      ...{ overlap: "queue", version: 1, active: 2, next: "2026-01-01T11:00:00.000Z" },
      watermark: "2026-01-01T10:00:00.000Z",
    });
    expect(text).toContain("next             2026-01-01T11:00:00.000Z\n");
    expect(text).toContain("max active runs  1 (2 active)\n");
  });

  test("schedule changes what is given, and nothing else", async () => {
    const given = { cron: "*/5 * * * *", catchup: "on", "max-active": "3", overlap: "skip" };
    const { data, asked } = await done("schedule", given);
    expect(asked).toEqual([
      { cron: "*/5 * * * *", catchup: true, maxActiveRuns: 3, overlap: "skip" },
    ]);
    expect(data).toMatchObject({ catchup: true, next: "2026-01-01T10:35:00.000Z", version: 2 });
    expect((await done("schedule", { catchup: "off" })).asked).toEqual([{ catchup: false }]);
  });

  test("pause and resume set one flag", async () => {
    const paused = await done("pause");
    expect(paused).toMatchObject({ asked: [{ paused: true }], data: { next: null } });
    expect(paused.text).toContain("state            paused\n");
    expect(await done("resume", {}, true)).toMatchObject({
      ...{ asked: [{ paused: false }], data: { next: "2026-01-01T11:00:00.000Z" } },
    });
  });

  test("next tells the next times, none while paused", async () => {
    const { data, text } = await done("next", { limit: "2" });
    expect(data).toEqual(["2026-01-01T11:00:00.000Z", "2026-01-01T12:00:00.000Z"]);
    expect(text).toBe("2026-01-01T11:00:00.000Z\n2026-01-01T12:00:00.000Z\n");
    expect(await done("next", {}, true)).toMatchObject({
      ...{ data: [], text: "none: the schedule is paused\n" },
    });
  });

  test("backfill asks for a range, with defaults for what is left out", async () => {
    const range = { from: "2026-01-01T00:00:00Z", to: "2026-01-01T03:00:00Z" };
    expect(await done("backfill", range)).toMatchObject({
      asked: [
        {
          ...{ from: new Date(range.from), to: new Date(range.to), reprocess: "none" },
          ...{ order: "oldest", maxActiveRuns: 1, results: 7, nat: ["gb"], runs: 3 },
        },
      ],
      data: { backfill: made, runs: { length: 3 }, dryRun: false },
      text: "backfill 4 running: 3 runs, 2 queued, 1 running; from A to B\n",
    });
    const more = { reprocess: "completed", order: "newest", "max-active": "9", nat: "US, FR" };
    expect((await done("backfill", { ...range, ...more, results: "5" })).asked).toMatchObject([
      { reprocess: "completed", order: "newest", maxActiveRuns: 9, nat: ["us", "fr"], results: 5 },
    ]);
  });

  test("backfill lists what it would run, and asks for nothing, with --dry-run", async () => {
    const range = { from: "2026-01-01T00:00:00Z", to: "2026-01-01T02:00:00Z", "dry-run": true };
    expect(await done("backfill", range)).toMatchObject({
      ...{ asked: [], data: { backfill: null, dryRun: true } },
      text: "2026-01-01T00:00:00.000Z new\n2026-01-01T01:00:00.000Z new\n2 runs to make or to begin again\n",
    });
  });

  test("backfill lists, shows and cancels those that are there", async () => {
    expect((await done("backfill list")).data).toEqual([made, made]);
    expect((await done("backfill list", { limit: "1" })).data).toEqual([made]);
    expect((await done("backfill show 4")).data).toEqual(made);
    expect((await done("backfill cancel 4")).asked).toEqual([{ id: 4, running: false }]);
    expect((await done("backfill cancel 4", { running: true })).asked).toEqual([
      { id: 4, running: true },
    ]);
    expect((await failureOf(done("backfill show 5"))).message).toBe("there is no backfill 5");
  });

  test("has other commands too", () => {
    expect(scheduleCommand(["list"], {}, defaults)).toBeUndefined();
    expect(scheduleCommand([], {}, defaults)).toBeUndefined();
  });

  const range = { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z" };
  test.each([
    ["next", { limit: "0" }, "--limit=0: expected a number from 1 to 100"],
    ["next", { limit: "101" }, "--limit=101: expected a number from 1 to 100"],
    ["schedule", { cron: "daily" }, '--cron="daily": expected a cron expression of 5 or 6 fields'],
    ["schedule", { timezone: "Mars/Base" }, '--timezone="Mars/Base": expected an IANA time zone'],
    ["schedule", { catchup: "yes" }, "--catchup=yes: expected on or off"],
    ["schedule", { overlap: "drop" }, '--overlap="drop": expected skip or queue'],
    ["schedule", { "max-active": "0" }, "--max-active=0: expected a number of runs from 1 to 100"],
    ["backfill", { from: range.from }, "backfill: expected --from T and --to T"],
    [
      "backfill",
      { ...range, to: "now" },
      '--to="now": expected a time such as 2026-01-31T12:00:00Z',
    ],
    [
      "backfill",
      { ...range, reprocess: "all" },
      '--reprocess="all": expected none, failed, completed',
    ],
    ["backfill", { ...range, order: "up" }, '--order="up": expected oldest or newest'],
    ["backfill show", {}, "backfill show: nothing: expected the number of a backfill"],
    ["backfill show x", {}, "backfill show: x: expected the number of a backfill"],
    ["backfill drop", {}, "backfill drop: expected list, show ID or cancel ID"],
  ] as const)("%s %j is wrong usage", (line, given, message) => {
    const usage = expect.objectContaining({ code: "usage", message });
    expect(() => scheduleCommand(line.split(" "), given, defaults)).toThrow(usage);
  });
});
