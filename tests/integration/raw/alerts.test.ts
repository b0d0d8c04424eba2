import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { AttemptEnd } from "../../../lib/domain/attempt.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { manual, rawStores } from "../../raw-store.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const openPlain = rawStores();

/** A store that makes alerts. */
async function openStore() {
  await using opening = new AsyncDisposableStack();
  const plain = opening.use(await openPlain());
  const options = { log, signal: never, alerts: true };
  const store = opening.use(await openRawStore(plain.config, options));
  const owned = opening.move();
  const ended = async (...ends: readonly AttemptEnd[]) => {
    for (const end of ends) {
      const { id } = await store.runs.create(manual);
      const run = await store.runs.claim("me", id);
      if (run) await store.runs.finish(run, end);
    }
  };
  /** Takes all that wait, as sent. */
  const taken = async () => {
    const all = [];
    for (let next = await store.alerts.take(1); next; next = await store.alerts.take(1)) {
      await store.alerts.sent(next);
      all.push(next);
    }
    return all;
  };
  const { sql } = plain;
  return { ...store, plain, sql, ended, taken, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const failed = { outcome: "failed", errorChain: ["the API", "500"] } as const;
const success = { outcome: "success" } as const;

describe("alerts", () => {
  test("are made of each run that fails for good, and of the first that succeeds after it", async () => {
    await using it = await openStore();
    const again = { afterMs: 0, failures: 1 };
    await it.ended(success, { ...failed, again }, { outcome: "cancelled" }, failed, failed);
    await it.ended(success, success);
    const all = await it.taken();
    expect(all.map(({ type }) => type)).toEqual(["run.failed", "run.failed", "run.recovered"]);
    expect(all[0]).toMatchObject({
      ...{ tries: 1, uid: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: {
        run: { id: 4, state: "failed", error: "the API: 500", errorChain: ["the API", "500"] },
      },
    });
    expect(all[2]).toMatchObject({
      data: { run: { id: 6, state: "success" }, since: expect.stringMatching(/Z$/) },
    });
  });

  test("are made once when many runs succeed at once", async () => {
    await using it = await openStore();
    await it.ended(failed);
    await Promise.all([1, 2, 3, 4].map(() => it.ended(success)));
    expect((await it.taken()).map(({ type }) => type)).toEqual(["run.failed", "run.recovered"]);
  });

  test("are not made where nobody wants them", async () => {
    await using it = await openStore();
    const { id } = await it.plain.runs.create(manual);
    const run = await it.plain.runs.claim("me", id);
    if (run) await it.plain.runs.finish(run, failed);
    expect(await it.taken()).toEqual([]);
  });

  test("are taken by one at a time, the oldest first, and come back when they are not sent", async () => {
    await using it = await openStore();
    await it.ended(failed, failed);
    const taken = await Promise.all([1, 2, 3, 4].map(() => it.alerts.take(3_600_000)));
    const [first] = taken.filter((alert) => alert !== undefined);
    expect(taken.filter((alert) => alert !== undefined)).toHaveLength(1);
    if (!first) throw new Error("none");
    await it.alerts.again(first, 0);
    const again = await it.alerts.take(3_600_000);
    expect(again).toMatchObject({ uid: first.uid, tries: 2 });
    // Who had it before is late: it is another's now.
    await it.alerts.again(first, 0);
    expect(await it.alerts.take(1)).toBeUndefined();
    if (again) await it.alerts.sent(again);
    expect(await it.alerts.take(1)).toMatchObject({ data: { run: { id: 2 } } });
  });

  test("of a missed deadline are made once, and not while the schedule is paused", async () => {
    await using it = await openStore();
    await it.ended(success);
    expect(await it.alerts.missed(60_000)).toBe(false);
    const late = () => it.sql`
      update runs set finished_at = now() - interval '2 minutes' where state = 'success'`;
    const unwatched = () => it.sql`update alert_state set watched_from = now() - interval '1 day'`;
    await late();
    await it.schedule.apply({ cron: "0 * * * *", timezone: "UTC" });
    await it.sql`update schedule set paused = true`;
    await unwatched();
    expect(await it.alerts.missed(60_000)).toBe(false);
    await it.sql`update schedule set paused = false`;
    // The deadline counts from the end of the pause.
    expect(await it.alerts.missed(60_000)).toBe(false);
    await unwatched();
    const made = await Promise.all([1, 2, 3].map(() => it.alerts.missed(60_000)));
    expect(made.filter(Boolean)).toHaveLength(1);
    await it.ended(success);
    await late();
    expect(await it.alerts.missed(60_000)).toBe(true);
    const all = await it.taken();
    expect(all.map(({ type }) => type.replace("run.", ""))).toEqual([
      ...["missed_deadline", "recovered", "missed_deadline"],
    ]);
    expect(all[0]?.data).toEqual({ deadlineSeconds: 60, lastSuccess: expect.any(String) });
  });

  test("wake who waits for them", async () => {
    await using it = await openStore();
    const waited = it.alerts.wait(never);
    await it.ended(failed);
    await waited;
  });
});
