import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { BackfillRequest } from "../../../lib/domain/backfill.ts";
import { failureOf } from "../../failure.ts";
import { type OpenStore, rawStores } from "../../raw-store.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();
const hour = (n: number) => new Date(Date.UTC(2026, 0, 1, n)).toISOString();
const request: BackfillRequest = {
  ...{ from: new Date(hour(0)), to: new Date(hour(24)), reprocess: "none", order: "oldest" },
  ...{ maxActiveRuns: 3, results: 10, nat: ["gb"] },
};

/** Backfills the hours, whatever is there of them. */
async function backfilled(
  { backfills }: OpenStore,
  hours: readonly number[],
  changes: Partial<BackfillRequest> = {},
) {
  const asked = { ...request, ...changes };
  const present = new Map(
    (await backfills.runsBetween(asked)).map((run) => [run.logicalTime, run]),
  );
  const runs = hours.map(hour).map((logicalTime) => {
    const { id = null, state = null } = present.get(logicalTime) ?? {};
    return { logicalTime, id, state };
  });
  return await backfills.create(asked, runs);
}

/** Performs so many of the runs that wait. */
async function performed({ runs }: OpenStore, count: number) {
  for (let n = 0; n < count; n++) {
    const run = await runs.claim("me");
    if (run) await runs.finish(run, { outcome: "success" });
  }
}

const none = { queued: 0, running: 0, success: 0, failed: 0, cancelled: 0, skipped: 0 };

describe("a backfill", () => {
  test("queues a run for each of its logical times, with the seed of that time", async () => {
    await using it = await openStore();
    const made = await backfilled(it, [1, 2]);
    expect(made).toMatchObject({
      ...{ id: 1, from: hour(0), to: hour(24), reprocess: "none", order: "oldest" },
      ...{ maxActiveRuns: 3, state: "running", runs: 2, states: { ...none, queued: 2 } },
      cancelledAt: null,
    });
    const runs = (await it.runs.list({ limit: 10 })).toReversed();
    expect(runs[0]).toMatchObject({
      ...{ trigger: "backfill", logicalTime: hour(1), seed: "at-20260101T010000Z" },
      ...{ results: 10, nat: ["gb"], state: "queued" },
    });
  });

  test("asked for twice with one id is one", async () => {
    await using it = await openStore();
    const requestId = crypto.randomUUID();
    const first = await backfilled(it, [1], { requestId });
    expect(await backfilled(it, [1, 2], { requestId })).toEqual(first);
    expect(await it.backfills.list({ limit: 10 })).toHaveLength(1);
    const runs = [{ logicalTime: hour(1), id: 1, state: "queued" as const }];
    expect(await it.backfills.earlier(requestId)).toEqual({ backfill: first, runs });
    expect(await it.backfills.earlier(crypto.randomUUID())).toBeUndefined();
  });

  test("counts what became of its runs, and is done when all have ended", async () => {
    await using it = await openStore();
    const { id } = await backfilled(it, [1, 2, 3]);
    await performed(it, 2);
    await it.runs.claim("me");
    expect(await it.backfills.get(id)).toMatchObject({
      ...{ state: "running", runs: 3, states: { ...none, running: 1, success: 2 } },
    });
    await it.sql`update runs set state = 'failed' where state = 'running'`;
    expect(await it.backfills.get(id)).toMatchObject({
      ...{ state: "done", states: { ...none, failed: 1, success: 2 } },
    });
  });

  test("leaves runs alone that have changed since they were listed", async () => {
    await using it = await openStore();
    await backfilled(it, [1, 2]);
    await performed(it, 1);
    const listed = (await it.backfills.runsBetween(request)).map(({ id, logicalTime }) => ({
      ...{ id, logicalTime: logicalTime ?? "", state: "success" as const },
    }));
    const fresh = [{ logicalTime: hour(2), id: null, state: null }];
    const again = { ...request, reprocess: "completed" } as const;
    const made = await it.backfills.create(again, [...listed, ...fresh]);
    expect(made).toMatchObject({ runs: 1, states: { ...none, queued: 1 } });
    expect(await it.backfills.get(1)).toMatchObject({
      ...{ runs: 2, states: { ...none, queued: 1, success: 1 } },
    });
  });

  test("of completed runs begins them anew, with the seed they had", async () => {
    await using it = await openStore();
    await it.runs.create({
      ...{ trigger: "schedule", logicalTime: new Date(hour(1)), results: 10, nat: [] },
    });
    await performed(it, 1);
    await it.sql`update runs set pages = 1, fetched = 10, accepted = 9, rejected = 1`;
    await backfilled(it, [1], { reprocess: "completed" });
    expect(await it.runs.claim("me")).toMatchObject({
      ...{ id: 1, attempt: 2, seed: "at-20260101T010000Z", pages: 0, pagesBefore: 1 },
    });
    expect(await it.runs.get(1)).toMatchObject({ trigger: "schedule", fetched: 0, rejected: 0 });
  });

  test("of failed runs goes on after their last page", async () => {
    await using it = await openStore();
    await backfilled(it, [1, 2]);
    await performed(it, 2);
    await it.sql`update runs set pages = 1, fetched = 10, state = 'failed' where id = 1`;
    expect(await backfilled(it, [1, 2], { reprocess: "failed" })).toMatchObject({ runs: 1 });
    expect(await it.runs.claim("me")).toMatchObject({ id: 1, attempt: 2, pages: 1 });
  });

  test("that is cancelled leaves running runs alone, unless these are to end too", async () => {
    await using it = await openStore();
    const { id } = await backfilled(it, [1, 2, 3]);
    await performed(it, 1);
    const run = await it.runs.claim("me");
    const cancelled = await it.backfills.cancel(id);
    expect(cancelled?.cancelledAt).not.toBeNull();
    expect(cancelled).toMatchObject({
      ...{ state: "cancelled", states: { ...none, success: 1, running: 1, cancelled: 1 } },
    });
    expect(await it.runs.claim("me")).toBeUndefined();
    expect(run && (await it.runs.cancelRequested(run))).toBe(false);
    const again = await it.backfills.cancel(id, { running: true });
    expect(again).toMatchObject({ cancelledAt: cancelled?.cancelledAt });
    expect(run && (await it.runs.cancelRequested(run))).toBe(true);
  });

  test("that is done is not cancelled any more", async () => {
    await using it = await openStore();
    const { id } = await backfilled(it, [1, 2]);
    await performed(it, 2);
    expect(await failureOf(it.backfills.cancel(id))).toMatchObject({ code: "refused" });
    expect(await it.backfills.get(id)).toMatchObject({ state: "done", cancelledAt: null });
  });

  test("that nobody knows is none", async () => {
    await using it = await openStore();
    expect(await it.backfills.get(42)).toBeUndefined();
    expect(await it.backfills.cancel(42)).toBeUndefined();
  });
});
