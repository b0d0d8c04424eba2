import { describe, expect, test } from "bun:test";
import type { Backfill, BackfillRequest, BackfillRun } from "../../../lib/domain/backfill.ts";
import { type RunState, runStates } from "../../../lib/domain/run.ts";
import { backfill, mostTimes } from "../../../lib/schedule/backfill.ts";
import { failureOf } from "../../failure.ts";

const hour = (n: number) => new Date(Date.UTC(2026, 0, 1, n));
const request: BackfillRequest = {
  ...{ from: hour(0), to: hour(6), reprocess: "none", order: "oldest", maxActiveRuns: 1 },
  ...{ results: 5, nat: [] },
};
const schedule = { cron: "0 * * * *", timezone: "UTC" };
const now = hour(24);

/** Runs of some hours, by their states; and what is made of them. */
function store(present: Readonly<Record<number, RunState>> = {}) {
  const made: (readonly BackfillRun[])[] = [];
  return {
    made,
    runsBetween: async () =>
      Object.entries(present).map(([n, state]) => ({
        ...{ id: Number(n), state, logicalTime: hour(Number(n)).toISOString() },
      })),
    earlier: async (requestId: string) =>
      requestId === "seen" ? { backfill: { id: 7 } as Backfill, runs: [] } : undefined,
    create: async (_: BackfillRequest, runs: readonly BackfillRun[]) => {
      made.push(runs);
      return { id: 1 } as Backfill;
    },
  };
}

async function hours(changes: Partial<BackfillRequest> = {}, present = {}, options = {}) {
  const all = { schedule, now, dryRun: true, ...options };
  const { runs } = await backfill({ ...request, ...changes }, store(present), all);
  return runs.map(({ logicalTime, id }) => {
    const at = new Date(logicalTime).getUTCHours();
    return id === null ? at : `${at} again`;
  });
}

describe("a backfill", () => {
  test("is of the logical times from the first on, and before the last", async () => {
    expect(await hours()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await hours({ from: new Date(hour(1).getTime() + 1) })).toEqual([2, 3, 4, 5]);
    expect(await hours({ to: new Date(hour(3).getTime() + 1) })).toEqual([0, 1, 2, 3]);
    expect(await hours({ from: hour(6), to: hour(1) })).toEqual([]);
  });

  test("is of no time that has not come yet", async () => {
    expect(await hours({}, {}, { now: hour(3) })).toEqual([0, 1, 2, 3]);
    expect(await hours({}, {}, { now: new Date(hour(3).getTime() - 1) })).toEqual([0, 1, 2]);
  });

  test("is told in the schedule's time zone", async () => {
    const schedule = { cron: "30 2 * * *", timezone: "Asia/Kolkata" };
    const { runs } = await backfill({ ...request, to: hour(24) }, store(), { schedule, now });
    expect(runs.map(({ logicalTime }) => logicalTime)).toEqual(["2026-01-01T21:00:00.000Z"]);
  });

  test("begins with the newest when asked to", async () => {
    expect(await hours({ order: "newest" })).toEqual([5, 4, 3, 2, 1, 0]);
  });

  test.each([
    ["none", []],
    ["failed", ["failed", "cancelled", "skipped"]],
    ["completed", ["failed", "cancelled", "skipped", "success"]],
  ] as const)(
    "with reprocess %s takes those without a run, and those that are %p",
    async (...[reprocess, again]) => {
      const present = Object.fromEntries(runStates.map((state, n) => [n, state]));
      const missing = hours({ reprocess, to: hour(7) }, present);
      expect(await missing).toEqual([
        ...runStates.flatMap((state, n) =>
          again.some((it) => it === state) ? [`${n} again`] : [],
        ),
        6,
      ]);
    },
  );

  test("makes what its dry run lists, and the dry run makes nothing", async () => {
    const there = store({ 2: "success", 3: "failed", 4: "running" });
    const asked = { ...request, reprocess: "completed", order: "newest" } as const;
    const dry = await backfill(asked, there, { schedule, now, dryRun: true });
    expect(dry.backfill).toBeNull();
    expect(there.made).toEqual([]);
    const real = await backfill(asked, there, { schedule, now });
    expect(real).toMatchObject({ backfill: { id: 1 }, runs: dry.runs });
    expect(there.made).toEqual([dry.runs]);
    expect(dry.runs).toHaveLength(5);
  });

  test("asked for again gives what it has made, and makes no other", async () => {
    const there = store();
    const again = (requestId: string, dryRun: boolean) =>
      backfill({ ...request, requestId }, there, { schedule, now, dryRun });
    expect(await again("seen", false)).toMatchObject({ backfill: { id: 7 } });
    expect(there.made).toEqual([]);
    expect(await again("seen", true)).toMatchObject({ backfill: null, runs: { length: 6 } });
    expect(await again("new", false)).toMatchObject({ backfill: { id: 1 } });
  });

  test("of nothing is none", async () => {
    const there = store();
    const asked = { ...request, from: hour(6) };
    expect(await backfill(asked, there, { schedule, now })).toEqual({ backfill: null, runs: [] });
    expect(there.made).toEqual([]);
  });

  test("has an end: a range with too many logical times is refused", async () => {
    const schedule = { cron: "* * * * *", timezone: "UTC" };
    const to = new Date(hour(0).getTime() + (mostTimes + 1) * 60_000);
    const refused = await failureOf(
      backfill({ ...request, to }, store(), { schedule, now: to, dryRun: true }),
    );
    expect(refused).toMatchObject({ code: "usage" });
    expect(refused.message).toEndWith("expected at most 10000 logical times");
  }, 120_000);
});
