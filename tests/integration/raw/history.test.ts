import { expect, setDefaultTimeout, test } from "bun:test";
import type { Sample } from "../../../lib/domain/history.ts";
import { rawStores } from "../../raw-store.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();
const sample: Sample = {
  ...{ received: 100, written: 50, consumed: 20, pending: 50, lag: 30 },
  batchRows: { p50: 10, p99: 20 },
  writeMs: { p50: 1.5, p99: 8 },
  endToEndMs: null,
};
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 31, 12) + seconds * 1000);
const start = at(0).getTime() / 1000;

type Store = Awaited<ReturnType<typeof openStore>>;

/** Keeps a sample as if it had been taken so many seconds after the start. */
async function keep({ history, sql }: Store, seconds: number, over: Partial<Sample> = {}) {
  await history.add({ ...sample, ...over });
  await sql`update samples set at = ${at(seconds)} where at > now() - interval '1 minute'`;
}

test("of several instances the first one keeps the sample of its five seconds", async () => {
  await using it = await openStore();
  const counts = Array.from({ length: 20 }, (_, received) => received);
  await Promise.all(counts.map((received) => it.history.add({ ...sample, received })));
  const rows = await it.sql<{ at: Date }[]>`select at from samples`;
  // The twenty may lie on both sides of a border.
  expect(rows.length).toBeWithin(1, 3);
  for (const row of rows) expect(row.at.getTime() % 5000).toBe(0);
});

test("rates are those between samples, on average of each step; the rest is the most of it", async () => {
  await using it = await openStore();
  await keep(it, -5);
  await keep(it, 0, { received: 200 });
  await keep(it, 5, { received: 200, written: 80, pending: 7, writeMs: { p50: 2.5, p99: 4 } });
  await keep(it, 10, { received: 1200, written: null, consumed: 30, lag: null });
  await keep(it, 15, { received: 1200, written: 10, consumed: 30, batchRows: null });
  expect(await it.history.read({ from: at(0), to: at(30), stepSeconds: 10 })).toEqual({
    stepSeconds: 10,
    at: [start, start + 10, start + 20],
    rowsPerSecond: {
      raw: [10, 100, null],
      // What shrinks was made anew.
      topic: [3, null, null],
      table: [0, 1, null],
    },
    pending: [50, 50, null],
    lag: [30, 30, null],
    batchRows: { p50: [10, 10, null], p99: [20, 20, null] },
    writeMs: { p50: [2, 1.5, null], p99: [8, 8, null] },
    endToEndMs: { p50: [null, null, null], p99: [null, null, null] },
  });
});

test("after a time without samples there is no rate, and none below zero for a topic made anew", async () => {
  await using it = await openStore();
  await keep(it, 0);
  await keep(it, 3600, { received: 5000 });
  await keep(it, 3605, { received: 5010, written: 7 });
  const { at: steps, rowsPerSecond } = await it.history.read({
    ...{ from: at(3600), to: at(3610), stepSeconds: 5 },
  });
  expect(steps).toHaveLength(2);
  expect(rowsPerSecond).toMatchObject({ raw: [null, 2], topic: [null, 0] });
});

test("of old samples one a minute stays, and of very old ones none", async () => {
  await using it = await openStore();
  await it.sql`
    insert into samples (at, received, pending)
    select date_trunc('minute', now()) - make_interval(secs => age), 1, 0
    from unnest(array[
      60, 55,
      2 * 86400, 2 * 86400 - 5, 2 * 86400 - 55, 2 * 86400 - 60,
      20 * 86400, 20 * 86400 - 60]::int[]) as ages (age)`;
  const ages = async () =>
    (
      await it.sql<{ age: number }[]>`
        select extract(epoch from date_trunc('minute', now()) - at)::float8 as age
        from samples order by at desc`
    ).map(({ age }) => age);
  await it.history.thin({ fineDays: 1, days: 0 });
  const day = 86_400;
  expect(await ages()).toEqual([55, 60, 2 * day - 60, 2 * day, 20 * day - 60, 20 * day]);
  await it.history.thin({ fineDays: 1, days: 14 });
  expect(await ages()).toEqual([55, 60, 2 * day - 60, 2 * day]);
});
