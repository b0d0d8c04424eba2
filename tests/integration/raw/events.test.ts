import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Change } from "../../../lib/domain/change.ts";
import { openListener } from "../../../lib/raw/bell.ts";
import { transaction } from "../../../lib/raw/client.ts";
import { claimed, manual, type OpenStore, rawStores } from "../../raw-store.ts";
import { until } from "../../until.ts";
import { apiUsers, judgedPage, never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

async function changes({ events }: OpenStore, after = 0): Promise<readonly Change[]> {
  return (await events.since(after, 1000)).changes;
}

describe("an event is noted", () => {
  test("when a run is made, taken, moved on and ended, with how it is by then", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const [made] = await changes(it);
    const data = { ...(await it.runs.get(run.id)), seconds: expect.any(Number) };
    expect(made).toEqual({ id: 2, type: "run", run: run.id, data } as never);
    await it.runs.commitPage(run, judgedPage(apiUsers(3)));
    expect(await changes(it, 2)).toMatchObject([{ id: 3, data: { pages: 1, accepted: 3 } }]);
    await it.runs.finish(run, { outcome: "success" });
    expect(await changes(it, 3)).toMatchObject([{ id: 4, data: { state: "success" } }]);
  });

  test("not when a worker says that it is alive", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const position = await it.events.newest();
    expect(await it.runs.heartbeat(run)).toBe(true);
    expect(await it.events.newest()).toBe(position);
  });

  test("of each line of a log, with the line", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const position = await it.events.newest();
    const line = {
      line: 1,
      at: "2026-01-01T00:00:00.000Z",
      level: "info",
      message: "page kept",
      fields: { page: 1 },
    } as const;
    await it.runs.keepLines(run, [line, { ...line, line: 2 }]);
    await it.runs.keepLines(run, [line]);
    expect(await changes(it, position)).toEqual([
      {
        id: position + 1,
        type: "log",
        run: run.id,
        data: { ...line, id: "1.1", run: run.id, attempt: 1 },
      },
      {
        id: position + 2,
        type: "log",
        run: run.id,
        data: { ...line, line: 2, id: "1.2", run: run.id, attempt: 1 },
      },
    ]);
  });

  test("when the schedule is changed, not when it moves on", async () => {
    await using it = await openStore();
    await it.schedule.apply({ cron: "0 * * * *", timezone: "UTC" });
    const position = await it.events.newest();
    const from = await it.schedule.standing();
    const decision = { logicalTimes: [], skipped: null, watermark: from.now };
    expect(await it.schedule.move(from, decision, manual)).toBe(true);
    expect(await it.events.newest()).toBe(position);
    await it.schedule.change({ paused: true });
    expect(await changes(it, position)).toMatchObject([
      { type: "schedule", data: { paused: true } },
    ]);
  });
});

test("an event of a backfill is noted when it is made, cancelled, or a run of it has another state", async () => {
  await using it = await openStore();
  const [from, to] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-01-02T00:00:00Z")];
  const range = { from, to, reprocess: "none", order: "oldest", maxActiveRuns: 1 } as const;
  const request = { ...range, results: 1, nat: [] };
  const run = { logicalTime: from.toISOString(), id: null, state: null };
  const { id } = await it.backfills.create(request, [run]);
  const ofBackfill = async (after: number) =>
    (await changes(it, after)).filter(({ type }) => type === "backfill");
  expect(await ofBackfill(0)).toMatchObject([{ data: { id, runs: 1, states: { queued: 1 } } }]);
  const made = await it.events.newest();
  await it.runs.claim("me");
  expect(await ofBackfill(made)).toMatchObject([{ data: { id, states: { running: 1 } } }]);
  const taken = await it.events.newest();
  await it.backfills.cancel(id);
  expect(await ofBackfill(taken)).toMatchObject([{ data: { id, state: "cancelled" } }]);
});

describe("events are read", () => {
  test("from a position on, page by page; of several to one run the last one", async () => {
    await using it = await openStore();
    const runs = [await claimed(it), await claimed(it), await claimed(it)];
    const first = await it.events.since(0, 4);
    expect(first).toMatchObject({ position: 4, more: true, changes: [{ id: 2 }, { id: 4 }] });
    const rest = await it.events.since(first.position, 4);
    expect(rest).toMatchObject({
      position: 6,
      more: false,
      changes: [{ id: 6, run: runs[2]?.id }],
    });
    expect(await it.events.since(6, 4)).toEqual({ position: 6, more: false, changes: [] });
  });

  test("without what is gone by now", async () => {
    await using it = await openStore();
    const [one, other] = [await claimed(it), await claimed(it)];
    await it.sql`delete from runs where id = ${one.id}`;
    expect((await changes(it)).map((change) => "run" in change && change.run)).toEqual([other.id]);
  });

  test("as long as they are kept: the newest are", async () => {
    await using it = await openStore();
    for (let n = 0; n < 5; n++) await it.runs.create(manual);
    await it.events.forget({ keep: 2 });
    expect((await changes(it)).map(({ id }) => id)).toEqual([4, 5]);
    expect(await it.events.newest()).toBe(5);
  });

  test("soon: who waits is told", async () => {
    await using it = await openStore();
    // Looking anyway comes too late: what wakes is the notification.
    await using listener = openListener(it.config.url, { pollMs: 600_000 });
    let woken = false;
    const waited = listener
      .bell("events")
      .wait(never)
      .then(() => {
        woken = true;
      });
    await until(async () => {
      await it.runs.create(manual);
      return woken;
    });
    await waited;
  });
});

describe("who has seen an event has seen all before it:", () => {
  test("a transaction that began sooner and ends later is told of later", async () => {
    await using it = await openStore();
    const [late, soon] = [await it.runs.create(manual), await it.runs.create(manual)];
    const position = await it.events.newest();
    await transaction(it.sql, async (tx, connected) => {
      await tx`update runs set attempt = 7 where id = ${late.id}`;
      await it.sql`update runs set attempt = 7 where id = ${soon.id}`;
      expect(await changes(it, position)).toMatchObject([{ id: position + 1, run: soon.id }]);
      await connected();
    });
    expect(await changes(it, position + 1)).toMatchObject([{ id: position + 2, run: late.id }]);
  });

  test("of many that end at once none is missed by who reads on from the last one", async () => {
    await using it = await openStore();
    const writers = 8;
    const each = 100;
    let writing = true;
    const written = Promise.all(
      Array.from({ length: writers }, async () => {
        for (let n = 0; n < each; n++) await it.runs.create(manual);
      }),
    ).finally(() => {
      writing = false;
    });
    const seen = new Set<number>();
    let position = 0;
    for (let last = false; !last; ) {
      last = !writing;
      const read = await it.events.since(position, 1000);
      for (const change of read.changes) if (change.type === "run") seen.add(change.run);
      position = read.position;
    }
    await written;
    expect(seen.size).toBe(writers * each);
  });
});
