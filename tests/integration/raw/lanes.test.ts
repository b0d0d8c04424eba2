import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { BackfillOrder } from "../../../lib/domain/backfill.ts";
import { pageUsers } from "../../../lib/domain/run.ts";
import { manual, type OpenStore, rawStores, silenced } from "../../raw-store.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();
const hour = (n: number) => new Date(Date.UTC(2026, 0, 1, n));
const scheduled = { results: 10, nat: [], trigger: "schedule" } as const;

/** Claims until there is nothing to claim; the hours of what was claimed, in that order. */
async function hours({ runs, sql }: OpenStore, worker = "me") {
  const taken: number[] = [];
  for (let run = await runs.claim(worker); run; run = await runs.claim(worker)) taken.push(run.id);
  const rows = await sql<
    { id: number; at: Date | null }[]
  >`select id, logical_time as at from runs`;
  const byId = new Map(rows.map(({ id, at }) => [id, at?.getUTCHours() ?? "manual"]));
  return taken.map((id) => byId.get(id));
}

async function backfilled(
  { backfills }: OpenStore,
  times: readonly number[],
  { order = "oldest", maxActiveRuns = 1 }: { order?: BackfillOrder; maxActiveRuns?: number } = {},
) {
  const range = { from: hour(0), to: hour(24), reprocess: "none", order, maxActiveRuns } as const;
  const runs = times.map((n) => ({ logicalTime: hour(n).toISOString(), id: null, state: null }));
  return await backfills.create({ ...range, results: 10, nat: [] }, runs);
}

async function ended({ runs }: OpenStore, worker = "me") {
  for (const run of await runs.list({ limit: 100, states: ["running"] })) {
    const trace = { traceparent: "", tracestate: null };
    const held = { ...run, worker, pagesBefore: 0, pageUsers, failures: 0, trace };
    await runs.finish(held, { outcome: "success" });
  }
}

describe("runs of the schedule", () => {
  test("are claimed by their logical time, so many at once as are allowed", async () => {
    await using it = await openStore();
    await it.schedule.change({ maxActiveRuns: 2 });
    for (const n of [4, 2, 3, 1]) await it.runs.create({ ...scheduled, logicalTime: hour(n) });
    expect(await hours(it)).toEqual([1, 2]);
    await ended(it);
    expect(await hours(it)).toEqual([3, 4]);
  });

  test("are as many at once as Airflow allows, unless that is changed", async () => {
    await using it = await openStore();
    for (let n = 0; n < 20; n++) await it.runs.create({ ...scheduled, logicalTime: hour(n) });
    expect(await hours(it)).toHaveLength(16);
    expect(await it.schedule.get()).toMatchObject({ maxActiveRuns: 16 });
  });

  test("hold back no manual run, which comes first", async () => {
    await using it = await openStore();
    await it.schedule.change({ maxActiveRuns: 1 });
    for (const n of [1, 2]) await it.runs.create({ ...scheduled, logicalTime: hour(n) });
    await it.runs.create(manual);
    expect(await hours(it)).toEqual(["manual", 1]);
  });

  test("are never more than allowed, however many claim at once", async () => {
    await using it = await openStore();
    await it.schedule.change({ maxActiveRuns: 3 });
    for (let n = 0; n < 20; n++) await it.runs.create({ ...scheduled, logicalTime: hour(n) });
    const workers = Array.from({ length: 8 }, (_, n) => `worker ${n}`);
    for (let round = 0; round < 4; round++) {
      await Promise.all(workers.map((worker) => it.runs.claim(worker)));
      const active = await it.runs.list({ limit: 100, states: ["running"] });
      expect(active.length).toBeGreaterThan(0);
      expect(active.length).toBeLessThanOrEqual(3);
      for (const { worker } of active) await ended(it, worker ?? "");
    }
  });

  test("that are lowered in number wait until there are fewer", async () => {
    await using it = await openStore();
    await it.schedule.change({ maxActiveRuns: 2 });
    for (const n of [1, 2, 3]) await it.runs.create({ ...scheduled, logicalTime: hour(n) });
    const first = await it.runs.claim("me");
    await it.runs.claim("me");
    await it.schedule.change({ maxActiveRuns: 1 });
    if (first) await it.runs.finish(first, { outcome: "success" });
    expect(await hours(it)).toEqual([]);
    await ended(it);
    expect(await hours(it)).toEqual([3]);
  });

  test("are taken over although there is no room", async () => {
    await using it = await openStore();
    await it.schedule.change({ maxActiveRuns: 1 });
    const { id } = await it.runs.create({ ...scheduled, logicalTime: hour(1) });
    await it.runs.create({ ...scheduled, logicalTime: hour(2) });
    expect(await hours(it, "old")).toEqual([1]);
    await silenced(it, id);
    expect(await hours(it, "new")).toEqual([1]);
  });

  test("that wait for their next attempt leave room for others", async () => {
    await using it = await openStore();
    await it.schedule.change({ maxActiveRuns: 1 });
    for (const n of [1, 2]) await it.runs.create({ ...scheduled, logicalTime: hour(n) });
    const run = await it.runs.claim("me");
    const again = { afterMs: 3_600_000, failures: 1 };
    if (run) await it.runs.finish(run, { outcome: "failed", errorChain: ["no"], again });
    expect(await hours(it)).toEqual([2]);
  });
});

describe("runs of a backfill", () => {
  test("come after the schedule's, in the order that was asked for, as many at once as its own limit", async () => {
    await using it = await openStore();
    await backfilled(it, [5, 6, 7, 8], { order: "newest", maxActiveRuns: 3 });
    await backfilled(it, [1, 2, 3]);
    await it.runs.create({ ...scheduled, logicalTime: hour(20) });
    expect(await hours(it)).toEqual([20, 8, 7, 6, 1]);
    await ended(it);
    expect(await hours(it)).toEqual([5, 2]);
  });
});
