import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { digestOf } from "../../../lib/flow/verify.ts";
import { claimed, manual, type OpenStore, rawStores } from "../../raw-store.ts";
import { until } from "../../until.ts";
import { apiUsers, judgedPage, users } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

const all = { after: 0, below: Number.MAX_SAFE_INTEGER, limit: 1000 };

/** A run of so many users that was performed some days ago, all of them on the topic. */
async function performed(it: OpenStore, received: readonly unknown[], days: number) {
  const run = await claimed(it);
  await it.runs.commitPage(run, judgedPage(received));
  const line = { line: 1, at: new Date(0).toISOString(), level: "info", fields: {} } as const;
  await it.runs.finish(run, { outcome: "success" }, [{ ...line, message: "done" }]);
  await it.sql`
    update raw_users set fetched_at = now() - ${days} * interval '1 day' where run_id = ${run.id}`;
  await it.sql`
    update runs set finished_at = now() - ${days} * interval '1 day' where id = ${run.id}`;
  await it.outbox.take(1000, async () => []);
  return run.id;
}

const rawRows = async ({ sql }: OpenStore) => {
  const rows = await sql<{ id: number }[]>`select id from raw_users order by id`;
  return rows.map(({ id }) => id);
};

describe("old raw rows", () => {
  test("go by their age, in pages, below a bound", async () => {
    await using it = await openStore();
    await performed(it, apiUsers(4), 8);
    await performed(it, apiUsers(2), 6);
    expect(await it.old.countRaw(7, all.below)).toBe(4);
    expect(await it.old.pruneRaw(7, { ...all, below: 4, limit: 2 })).toEqual({ rows: 2, last: 2 });
    expect(await it.old.pruneRaw(7, { ...all, after: 2, below: 4 })).toEqual({ rows: 1, last: 3 });
    expect(await it.old.pruneRaw(7, { ...all, after: 3, below: 4 })).toEqual({
      ...{ rows: 0, last: undefined },
    });
    expect(await rawRows(it)).toEqual([4, 5, 6]);
  });

  test("stay while they wait for the topic, or are rejected and may yet be sent", async () => {
    await using it = await openStore();
    const [good, bad] = apiUsers(2);
    await performed(it, [good, { ...bad, phone: 5 }], 8);
    await it.sql`insert into outbox (raw_id, run_id) values (1, 1)`;
    expect(await it.old.firstWaiting()).toBe(1);
    expect(await it.old.pruneRaw(7, all)).toMatchObject({ rows: 0 });
    await it.sql`delete from outbox`;
    expect(await it.old.firstWaiting()).toBeUndefined();
    expect(await it.old.pruneRaw(7, all)).toMatchObject({ rows: 1 });
    expect(await rawRows(it)).toEqual([2]);
    await it.rejected.purge([2]);
    expect(await it.old.pruneRaw(7, all)).toMatchObject({ rows: 1 });
    expect(await rawRows(it)).toEqual([]);
    expect(await it.sql`select raw_id from rejected_users`).toHaveLength(0);
  });

  test("that were fetched within the hour stay, whatever is asked for", async () => {
    await using it = await openStore();
    await performed(it, apiUsers(2), 0);
    expect(await it.old.pruneRaw(0, all)).toMatchObject({ rows: 0 });
  });

  test("are not removed while they are queued again", async () => {
    await using it = await openStore();
    await performed(it, apiUsers(2), 8);
    const locked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const queueing = it.sql.begin(async (tx) => {
      // As who queues kept rows begins.
      await tx`select pg_advisory_xact_lock_shared(7305217)`;
      locked.resolve();
      await release.promise;
      await tx`insert into outbox (raw_id, run_id) select id, run_id from raw_users`;
    });
    await locked.promise;
    const pruning = it.old.pruneRaw(7, all);
    const waits = async () => {
      const [row] = await it.sql`
        select count(*) from pg_locks where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())`;
      return row?.count === 1;
    };
    await until(waits);
    release.resolve();
    await queueing;
    expect(await pruning).toMatchObject({ rows: 0 });
    expect(await rawRows(it)).toEqual([1, 2]);
  });

  test("are not missed by who compares the stations", async () => {
    await using it = await openStore();
    const seen = apiUsers(3);
    await performed(it, seen, 8);
    const [gone] = await it.sql<{ version: number; id: string }[]>`
      select version, user_id as id from raw_users where id = 2`;
    if (!gone) throw new Error("no row");
    // The same user again, later; and one that nobody has received.
    await performed(it, seen.slice(0, 1), 1);
    await it.old.pruneRaw(7, all);
    await using ledger = await it.store.openLedger();
    await ledger.counts();
    const digest = digestOf(Object.assign({}, ...users(1, "same")));
    const stranger = crypto.randomUUID();
    const later = Number.MAX_SAFE_INTEGER;
    await ledger.addRows([
      { ...gone, digest },
      { id: stranger, version: later, digest },
    ]);
    const expected = (await Array.fromAsync(ledger.expected())).flat();
    expect(expected.map(({ id, rowVersion }) => [id, rowVersion])).toEqual([
      [seen[0]?.login.uuid ?? "", null],
    ]);
    expect((await Array.fromAsync(ledger.newer())).flat()).toEqual([]);
    expect((await Array.fromAsync(ledger.invented())).flat()).toEqual([stranger]);
  });

  test("leave no false alarm where an older row of the same user has stayed", async () => {
    await using it = await openStore();
    const [ada] = apiUsers(1);
    await performed(it, [ada], 9);
    await performed(it, [ada], 8);
    const [newest] = await it.sql<{ version: number; id: string }[]>`
      select version, user_id as id from raw_users where id = 2`;
    if (!newest) throw new Error("no row");
    // The first one waits for the topic again, so it stays.
    await it.sql`insert into outbox (raw_id, run_id) values (1, 1)`;
    await it.old.pruneRaw(7, all);
    await it.sql`delete from outbox`;
    expect(await rawRows(it)).toEqual([1]);
    await using ledger = await it.store.openLedger();
    await ledger.counts();
    await ledger.addRows([{ ...newest, digest: digestOf(Object.assign({}, ...users(1, "x"))) }]);
    expect((await Array.fromAsync(ledger.expected())).flat()).toEqual([]);
    expect((await Array.fromAsync(ledger.newer())).flat()).toEqual([]);
    expect((await Array.fromAsync(ledger.invented())).flat()).toEqual([]);
  });
});

describe("old logs and runs", () => {
  test("go by the end of the run; runs that have raw rows, or have not ended, stay", async () => {
    await using it = await openStore();
    const first = await performed(it, apiUsers(1), 9);
    const second = await performed(it, apiUsers(1), 8);
    await performed(it, apiUsers(1), 1);
    const waiting = await it.runs.create(manual);
    await it.sql`update runs set created_at = now() - interval '1 year' where id = ${waiting.id}`;
    await it.sql`delete from raw_users where run_id = ${first}`;
    expect([await it.old.count("logs", 7), await it.old.count("runs", 7)]).toEqual([2, 1]);
    expect(await it.old.prune("logs", 7, 1)).toBe(1);
    expect(await it.old.prune("logs", 7, 5)).toBe(1);
    expect(await it.logs.read(3, { limit: 5 })).toHaveLength(1);
    expect(await it.logs.attempts(second)).toHaveLength(1);
    expect(await it.old.prune("runs", 7, 5)).toBe(1);
    const left = (await it.runs.list({ limit: 9 })).map(({ id }) => id);
    expect(left).toEqual([waiting.id, 3, second]);
    expect(await it.logs.attempts(first)).toEqual([]);
  });
});
