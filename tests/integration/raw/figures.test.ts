import { expect, setDefaultTimeout, test } from "bun:test";
import { claimed, manual, rawStores } from "../../raw-store.ts";
import { apiUsers, judgedPage } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();
const none = { queued: 0, running: 0, success: 0, failed: 0, cancelled: 0, skipped: 0 };

test("the figures of an empty store are zeros", async () => {
  await using it = await openStore();
  expect(await it.figures()).toEqual({
    runs: none,
    raw: { rows: 0, rejected: 0, pending: 0, oldestPendingSeconds: null },
    received: 0,
    source: { up: null, since: null, lastError: null },
  });
});

test("the figures count what was received, what waits and since when, and the runs by state", async () => {
  await using it = await openStore();
  const run = await claimed(it);
  await it.runs.create(manual);
  await it.runs.commitPage(run, judgedPage([...apiUsers(5), {}]));
  await it.sql`update raw_users set fetched_at = now() - interval '1 hour'`;
  await it.outbox.take(2, async () => []);
  const { runs, raw, received } = await it.figures();
  expect(runs).toEqual({ ...none, queued: 1, running: 1 });
  expect(raw).toMatchObject({ rows: 6, rejected: 1, pending: 3 });
  expect(raw.oldestPendingSeconds).toBeGreaterThanOrEqual(3600);
  expect(received).toBe(6);
  await it.runs.finish(run, { outcome: "success" });
  await it.outbox.take(10, async () => []);
  expect(await it.figures()).toMatchObject({
    runs: { success: 1, running: 0 },
    raw: { pending: 0, oldestPendingSeconds: null },
  });
});

test("the source is down from the first attempt that failed since a page was kept, and up with the next page", async () => {
  await using it = await openStore();
  const run = await claimed(it);
  const fail = (message: string) =>
    it.sql`
      insert into run_attempts (run_id, attempt, worker, outcome, error_chain, pages_from, finished_at)
      values (${run.id}, ${run.attempt + 1}, 'w', 'failed', ${[message, "reset"]}, 0, now())
      on conflict (run_id, attempt) do update
      set error_chain = excluded.error_chain, finished_at = excluded.finished_at`;
  await fail("answered 500");
  const { source } = await it.figures();
  expect(source).toMatchObject({ up: false, lastError: { message: "answered 500: reset" } });
  expect(source.since).toBe(source.lastError?.at ?? "");
  await it.runs.commitPage(run, judgedPage(apiUsers(2)));
  expect((await it.figures()).source).toEqual({ ...source, up: true, since: null });
});

test("the newest rows are those received last, each user once, up to a time if one is given", async () => {
  await using it = await openStore();
  const [first, second] = [apiUsers(3), apiUsers(3)];
  const ids = (users: typeof first) => users.map(({ login }) => login.uuid);
  const run = await claimed(it);
  await it.runs.commitPage(run, judgedPage([...first, {}], 1));
  const until = new Date();
  await it.sql`select pg_sleep(0.01)`;
  await it.runs.commitPage(run, judgedPage([...second, first[1]], 2));
  const latest = async (limit: number, until?: Date) =>
    (await it.latest({ limit, ...(until ? { until } : {}) })).map(({ id }) => id);
  const [a, b, c] = ids(first);
  expect(await latest(10)).toEqual([b, ...ids(second).toReversed(), c, a] as string[]);
  expect(await latest(2)).toEqual([b, ids(second)[2]] as string[]);
  expect(await latest(10, until)).toEqual([c, b, a] as string[]);
  const [newest] = await it.latest({ limit: 1 });
  expect(newest).toMatchObject({ run: run.id, receivedAt: expect.stringMatching(/^20.*Z$/) });
});
