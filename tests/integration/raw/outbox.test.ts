import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { OutboxRow } from "../../../lib/flow/raw-to-topic.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { outboxContract } from "../../contracts/outbox.ts";
import { failureOf } from "../../failure.ts";
import { accepted, claimed, type OpenStore, rawStores } from "../../raw-store.ts";
import { until } from "../../until.ts";
import { apiUsers, judgedPage, never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

const options = { log, signal: never };
/** Longer than it takes PostgreSQL to tell of something, shorter than the second after which one looks anyway. */
const atOnceMs = 700;

outboxContract("the outbox in PostgreSQL", async () => {
  const it = await openStore();
  return {
    outbox: it.outbox,
    add: async (users) => it.runs.commitPage(await claimed(it), accepted(users)),
    waiting: () => it.outbox.waiting(),
    lose: () => loseTaken(it),
    rejected: async () =>
      (await it.sql`select reason from rejected_users order by raw_id`).map(({ reason }) => reason),
    [Symbol.asyncDispose]: it[Symbol.asyncDispose],
  };
});

/** As PostgreSQL does with a taker that stands still; resolves when its rows are free. */
async function loseTaken({ sql }: Pick<OpenStore, "sql">): Promise<void> {
  await sql`
    select pg_terminate_backend(pid, 60000) from pg_stat_activity
    where state = 'idle in transaction' and datname = current_database()`;
}

describe("the outbox", () => {
  test("hands over the record of a user, and the payload where it has no record", async () => {
    await using it = await openStore();
    const sent = apiUsers(3);
    const page = judgedPage(sent);
    const values = ['{"é":"😀 \\u0000"}', undefined, "{}"];
    const made = sent.map(({ login }, at) => {
      const value = values[at];
      return { id: login.uuid, ...(value === undefined ? {} : { value }) };
    });
    await it.runs.commitPage(await claimed(it), { ...page, users: made });
    const versions = await it.sql<
      { version: number }[]
    >`select version from raw_users order by position`;
    const rows: OutboxRow[] = [];
    await it.outbox.take(10, async (taken) => {
      rows.push(...taken);
      return [];
    });
    expect(rows.map(({ version }) => ({ version }))).toEqual([...versions]);
    expect(rows.map(({ key, value, payload }) => ({ key, value, payload }))).toEqual(
      sent.map((user, at) => ({
        key: user.login.uuid,
        value: values[at] ?? null,
        payload: values[at] === undefined ? user : null,
      })),
    );
  });

  test("gives its rows to others as soon as a taker's connection is gone", async () => {
    await using it = await openStore();
    await it.runs.commitPage(await claimed(it), accepted([1, 2]));
    const taken = Promise.withResolvers<void>();
    const holding = failureOf(
      it.outbox.take(10, async () => {
        taken.resolve();
        await until(
          async () =>
            (
              await it.sql`
          select from pg_stat_activity
          where state = 'idle in transaction' and datname = current_database()`
            ).length === 0,
        );
        return [];
      }),
    );
    await taken.promise;
    await it.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where state = 'idle in transaction' and datname = current_database()`;
    expect(await holding).toMatchObject({ name: "PipelineError", code: "unavailable" });
    expect(await it.outbox.take(10, async () => [])).toBe(2);
  });

  test("does not hold back rows of a page that commits later, with smaller ids", async () => {
    await using it = await openStore();
    const page = accepted([1, 2]);
    const [run] = [await claimed(it)];
    const late = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = it.sql.begin(async (tx) => {
      await tx`insert into outbox values (nextval(pg_get_serial_sequence('raw_users', 'id')), 1)`;
      begun.resolve();
      await late.promise;
    });
    await begun.promise;
    await it.runs.commitPage(run, page);
    expect(await it.outbox.take(10, async () => [])).toBe(2);
    late.resolve();
    await slow;
    expect(await it.outbox.waiting()).toBe(1);
  });

  test("wakes who waits at once, from another process too", async () => {
    await using it = await openStore();
    await using other = await openRawStore(it.config, options);
    // LISTEN has to be heard first.
    await until(async () => {
      const waited = it.outbox.wait(never);
      await it.sql`select pg_notify('outbox', '')`;
      const started = performance.now();
      await waited;
      return performance.now() - started < atOnceMs;
    });
    const run = await claimed(other);
    const waited = it.outbox.wait(never).then(() => performance.now());
    await other.runs.commitPage(run, accepted([1]));
    const committed = performance.now();
    expect((await waited) - committed).toBeLessThan(atOnceMs);
  });

  test("has not to be told: it is looked into every second", async () => {
    await using it = await openStore();
    const started = performance.now();
    await it.outbox.wait(never);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
