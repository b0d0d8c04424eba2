import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import type { JudgedPage } from "../../../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { asked, connect, shownUrl } from "../../../lib/raw/client.ts";
import { migrate } from "../../../lib/raw/migrate.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { ledgerContract } from "../../contracts/ledger.ts";
import { outboxContract } from "../../contracts/outbox.ts";
import { runsContract } from "../../contracts/runs.ts";
import { failureOf } from "../../failure.ts";
import type { Settled } from "../../fakes/ledger.ts";
import { testPostgres } from "../../servers.ts";
import { openDatabase, type TestDatabase, uniqueIdentifier } from "../../stations.ts";
import { until } from "../../until.ts";
import { apiUsers, judgedPage, never } from "../../users.ts";

setDefaultTimeout(180_000);

const options = { log, signal: never };
const manual = { trigger: "manual", results: 100, nat: [] } as const;
/** Longer than it takes PostgreSQL to tell of something, shorter than the second after which one looks anyway. */
const atOnceMs = 700;

/** Making a database takes half a second: those that tests are done with are emptied and used again. */
const idle: TestDatabase[] = [];
afterAll(async () => {
  for (const database of idle) await database[Symbol.asyncDispose]();
});

async function openStore() {
  await using opening = new AsyncDisposableStack();
  const database = idle.pop() ?? (await openDatabase());
  opening.defer(async () => {
    await emptied(database);
    idle.push(database);
  });
  const store = opening.use(await openRawStore(database.config, options));
  const owned = opening.move();
  const { sql, config } = database;
  return { ...store, config, sql, store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function emptied({ sql }: TestDatabase): Promise<void> {
  const tables = await sql<{ name: string }[]>`
    select tablename as name from pg_tables
    where schemaname = 'public' and tablename <> 'migrations'`;
  await sql.unsafe(`truncate ${tables.map(({ name }) => name)} restart identity cascade`);
}

type Open = Awaited<ReturnType<typeof openStore>>;

async function claimed({ runs }: Pick<Open, "runs">, worker = "me") {
  const { id } = await runs.create(manual);
  const run = await runs.claim(worker, id);
  if (!run) throw new Error("no run");
  return run;
}

/** A page whose users count as accepted, whatever they are. */
const accepted = (users: readonly unknown[]): JudgedPage => ({
  page: 1,
  payloads: JSON.stringify(users),
  users: users.map(() => ({ id: crypto.randomUUID() })),
});

const silenced = ({ sql }: Pick<Open, "sql">, id: number) =>
  sql`update runs set heartbeat_at = now() - interval '31 seconds' where id = ${id}`;

/** As PostgreSQL does with a taker that stands still; resolves when its rows are free. */
async function loseTaken({ sql }: Pick<Open, "sql">): Promise<void> {
  await sql`
    select pg_terminate_backend(pid, 60000) from pg_stat_activity
    where state = 'idle in transaction' and datname = current_database()`;
}

runsContract("the runs in PostgreSQL", async () => {
  const it = await openStore();
  return {
    runs: it.runs,
    kept: async () => {
      const rows = await it.sql`select user_id from raw_users order by id`;
      return rows.map(({ user_id }) => user_id);
    },
    silence: async (id) => void (await silenced(it, id)),
    [Symbol.asyncDispose]: it[Symbol.asyncDispose],
  };
});

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

ledgerContract("the ledger in PostgreSQL", async (raws) => {
  await using opening = new AsyncDisposableStack();
  const it = opening.use(await openStore());
  const receive = async (more: typeof raws) => {
    for (const { raw, id, version, payload, state } of more) {
      await it.sql`
        insert into raw_users (id, run_id, page, position, version, user_id, payload)
        overriding system value
        values (${raw}, 1, 1, ${raw}, ${version}, ${id}, ${JSON.stringify(payload)}::text::json)`;
      if (state === "pending") await it.sql`insert into outbox values (${raw}, 1)`;
      if (state === "rejected")
        await it.sql`insert into rejected_users values (${raw}, 'fetch', '', 'no')`;
    }
  };
  await receive(raws);
  const ledger = opening.use(await it.openLedger());
  const owned = opening.move();
  const settle = async (settled: readonly Settled[]) => {
    await using index = await it.openLetterIndex();
    for (const { letter, outcome } of settled) await index.settle([letter], outcome);
  };
  return { ledger, receive, settle, [Symbol.asyncDispose]: () => owned.disposeAsync() };
});

describe("the schema", () => {
  test("is made once: the second time nothing is to be done", async () => {
    await using it = await openDatabase();
    expect(await migrate(it.sql)).not.toEqual([]);
    expect(await migrate(it.sql)).toEqual([]);
  });

  test("is made once by many at once", async () => {
    await using it = await openDatabase();
    const pools = [1, 2, 3, 4].map(() => connect(it.config.url));
    const applied = await Promise.all(pools.map((sql) => migrate(sql)));
    await Promise.all(pools.map((sql) => sql.end()));
    expect(applied.filter((files) => files.length > 0)).toHaveLength(1);
  });

  test("stays as it was when a migration fails in the middle", async () => {
    await using it = await openDatabase();
    // In the way of the last table of the first migration.
    await it.sql`create table schedule (id integer)`;
    await failureOf(migrate(it.sql));
    const tables = await it.sql`
      select table_name from information_schema.tables where table_schema = 'public'`;
    expect(tables.map(({ table_name }) => table_name)).toEqual(["schedule"]);
    await it.sql`drop table schedule`;
    expect(await migrate(it.sql)).not.toEqual([]);
  });
});

describe("a page", () => {
  test("is kept as received, to the letter", async () => {
    await using it = await openStore();
    const texts = [
      '{"name":"a\\u0000b","lone":"\\ud83d","slash":"\\/"}',
      '{"big":12345678901234567890.1234567890,"exp":1E400,"minus":-0}',
      '{"z":1,"a":2,  "z":3}',
      '"\'); drop table raw_users; --"',
      "[ 1,\n\t2 ]",
      "null",
      '{"text":"😀 مبینا é"}',
    ];
    const run = await claimed(it);
    const users = texts.map(() => ({ id: crypto.randomUUID() }));
    await it.runs.commitPage(run, { page: 1, payloads: `[${texts.join(" , ")}]`, users });
    const rows = await it.sql`select payload::text as text from raw_users order by position`;
    expect(rows.map(({ text }) => text)).toEqual(texts);
  });

  test("has versions that rise by one with the position, and from page to page", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const before = Date.now() * 1000;
    await it.runs.commitPage(run, judgedPage(apiUsers(100), 1));
    await it.runs.commitPage(run, judgedPage(apiUsers(100), 2));
    const rows = await it.sql<{ page: number; version: number }[]>`
      select page, position, version from raw_users order by page, position`;
    const versions = rows.map(({ version }) => version);
    const [first = 0] = versions;
    const [second = 0] = versions.slice(100);
    expect(versions).toEqual([
      ...Array.from({ length: 100 }, (_, at) => first + at),
      ...Array.from({ length: 100 }, (_, at) => second + at),
    ]);
    expect(second).toBeGreaterThan(first + 99);
    // Microseconds of this clock, give or take an hour.
    expect(Math.abs(first - before)).toBeLessThan(3_600_000_000);
  });

  test("puts its users into the outbox, and the others with the reason among the rejected", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const [first, bad, last] = apiUsers(3);
    await it.runs.commitPage(run, judgedPage([first, { ...bad, phone: 5 }, last]));
    const rows = await it.sql<{ id: number; user_id: string | null }[]>`
      select id, user_id from raw_users order by position`;
    expect(rows.map(({ user_id }) => user_id)).toEqual([
      first?.login.uuid ?? "",
      null,
      last?.login.uuid ?? "",
    ]);
    const queued = await it.sql<{ raw_id: number; run_id: number }[]>`
      select raw_id, run_id from outbox order by raw_id`;
    expect([...queued]).toEqual([
      { raw_id: rows[0]?.id ?? 0, run_id: run.id },
      { raw_id: rows[2]?.id ?? 0, run_id: run.id },
    ]);
    const rejected = await it.sql`select raw_id, stage, path, reason from rejected_users`;
    expect([...rejected]).toEqual([
      { raw_id: rows[1]?.id ?? 0, stage: "fetch", path: "phone", reason: "phone: 5 is not text" },
    ]);
    expect(await it.runs.get(run.id)).toMatchObject({
      ...{ pages: 1, fetched: 3, accepted: 2, rejected: 1, published: 0 },
    });
  });

  test("may have values of any kind in its reasons", async () => {
    await using it = await openStore();
    const [user] = apiUsers(1);
    const uuids = ["a\0b", "\ud83d", `${"x".repeat(78)}😀😀`, "'); drop table runs; --", "\n\\\"'"];
    const bad = uuids.map((uuid) => ({ ...user, login: { ...user?.login, uuid } }));
    await it.runs.commitPage(await claimed(it), judgedPage(bad));
    const rows = await it.sql<{ reason: string }[]>`select reason from rejected_users`;
    expect(rows).toHaveLength(uuids.length);
    expect(rows.every(({ reason }) => reason.startsWith("login.uuid: "))).toBe(true);
  });

  test("of five thousand is one transaction", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    await it.runs.commitPage(run, judgedPage(apiUsers(5000)));
    const [row] = await it.sql`
      select count(*), count(distinct xmin::text) as transactions, count(distinct version) as versions
      from raw_users`;
    expect(row).toMatchObject({ count: 5000, transactions: 1, versions: 5000 });
  });

  test("that is fenced off leaves nothing: no rows, no outbox, no counters", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    await silenced(it, run.id);
    await it.runs.claim("other");
    const error = await failureOf(it.runs.commitPage(run, judgedPage([...apiUsers(3), null])));
    expect(error).toMatchObject({ name: "PipelineError", code: "fenced" });
    const [left] = await it.sql`
      select (select count(*) from raw_users) + (select count(*) from outbox)
        + (select count(*) from rejected_users) as rows`;
    expect(left).toEqual({ rows: 0 });
    expect(await it.runs.get(run.id)).toMatchObject({ pages: 0, fetched: 0 });
  });

  test("whose text has more or fewer users than were judged leaves nothing", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const page = judgedPage(apiUsers(3));
    const fewer = { ...page, payloads: JSON.stringify(apiUsers(2)) };
    expect(await failureOf(it.runs.commitPage(run, fewer))).toMatchObject({ code: "refused" });
    expect(await it.runs.get(run.id)).toMatchObject({ pages: 0, fetched: 0 });
    expect(await it.outbox.waiting()).toBe(0);
  });

  test("sent twice at once is kept once", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const page = judgedPage(apiUsers(50));
    await Promise.all([it.runs.commitPage(run, page), it.runs.commitPage(run, page)]);
    expect(await it.outbox.waiting()).toBe(50);
    expect(await it.runs.get(run.id)).toMatchObject({ pages: 1, fetched: 50 });
  });
});

describe("a run", () => {
  test("of a logical time is one run, however many ask for it", async () => {
    await using it = await openStore();
    const request = { ...manual, trigger: "schedule", logicalTime: new Date(0) } as const;
    const made = await Promise.all([1, 2, 3, 4].map(() => it.runs.create(request)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(made[0]).toMatchObject({
      ...{ logicalTime: "1970-01-01T00:00:00.000Z", seed: "at-19700101T000000Z" },
      ...{ createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) },
    });
  });

  test("is listed with the newest first, and page by page", async () => {
    await using it = await openStore();
    for (let n = 0; n < 5; n++) await it.runs.create(manual);
    const ids = async (options: { limit: number; before?: number }) =>
      (await it.runs.list(options)).map(({ id }) => id);
    expect(await ids({ limit: 3 })).toEqual([5, 4, 3]);
    expect(await ids({ limit: 3, before: 3 })).toEqual([2, 1]);
  });

  test("counts as published what no longer waits", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    await it.runs.commitPage(run, judgedPage(apiUsers(5)));
    await it.outbox.take(2, async () => []);
    expect(await it.runs.get(run.id)).toMatchObject({ accepted: 5, published: 2 });
    expect(await it.outbox.waiting(run.id)).toBe(3);
    const rejection = { path: "", reason: "record: too large" };
    await it.outbox.take(10, async () => [{ index: 0, rejection }]);
    expect(await it.runs.get(run.id)).toMatchObject({ accepted: 4, rejected: 1, published: 4 });
    const [row] = await it.sql`select stage, reason from rejected_users`;
    expect(row).toEqual({ stage: "publish", reason: "record: too large" });
  });

  test("may fail with any text as its reason", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    await it.runs.finish(run, "failed", "a\0b '); drop table runs; --\n😀");
    const found = await it.runs.get(run.id);
    expect(found?.error).toBe("a\\0b '); drop table runs; --\n😀");
    expect(found?.finishedAt).not.toBeNull();
    expect(found?.seconds).toBeGreaterThanOrEqual(0);
  });

  test("that nobody knows is none", async () => {
    await using it = await openStore();
    expect(await it.runs.get(42)).toBeUndefined();
    expect(await it.runs.get(999_999_999_999_999)).toBeUndefined();
  });
});

describe("the outbox", () => {
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

describe("the schedule", () => {
  const settings = { cron: "0 * * * *", timezone: "UTC" };

  test("is that of the settings, at first and whenever they change", async () => {
    await using it = await openStore();
    expect(await it.schedule.apply(settings)).toEqual({ ...settings, paused: false });
    const berlin = { cron: "5 4 * * *", timezone: "Europe/Berlin" };
    expect(await it.schedule.apply(berlin)).toEqual({ ...berlin, paused: false });
    expect(await it.schedule.get()).toEqual({ ...berlin, paused: false });
  });

  test("set at run time outlives a restart with the same settings, and not one with others", async () => {
    await using it = await openStore();
    await it.schedule.apply(settings);
    await it.sql`update schedule set cron = '1 1 * * *', paused = true`;
    expect(await it.schedule.apply(settings)).toEqual({
      ...{ cron: "1 1 * * *", timezone: "UTC", paused: true },
    });
    const others = { ...settings, cron: "2 2 * * *" };
    expect(await it.schedule.apply(others)).toMatchObject(others);
  });
});

describe("the store", () => {
  test("that answers is ready", async () => {
    await using it = await openStore();
    await it.store.ping();
  });

  test("shows the newest raw rows", async () => {
    await using it = await openStore();
    await it.runs.commitPage(await claimed(it), accepted([1, 2, 3]));
    expect((await it.store.sample(2)).map(({ payload }) => payload)).toEqual([3, 2]);
  });

  test("is closed twice without harm", async () => {
    await using database = await openDatabase();
    const store = await openRawStore(database.config, options);
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
});

describe("a server", () => {
  let url: URL;
  beforeAll(async () => {
    url = new URL(await testPostgres());
  });
  const at = (parts: Partial<Pick<URL, "port" | "pathname" | "username" | "password">>) =>
    Object.assign(new URL(url), parts).href;
  const query = async (to: string) => {
    const sql = connect(to);
    try {
      await asked("look", () => sql`select 1`);
    } finally {
      await sql.end({ timeout: 1 });
    }
  };

  test("that refuses connections is unavailable", async () => {
    const error = await failureOf(query(at({ port: "1" })));
    expect(error).toMatchObject({ name: "PipelineError", code: "unavailable" });
    expect(error.message).toStartWith("PostgreSQL, look: ");
    expect(error.message).toContain("ECONNREFUSED");
  });

  test("without the database is unavailable", async () => {
    const error = await failureOf(query(at({ pathname: "/never_made" })));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toContain('database "never_made" does not exist');
  });

  test("that does not take the password is unavailable, and the message does not show it", async () => {
    const admin = connect(url.href);
    const role = uniqueIdentifier();
    await admin.unsafe(`create role ${role} nologin`);
    const error = await failureOf(query(at({ username: role, password: "very-secret" })));
    await admin.unsafe(`drop role ${role}`);
    await admin.end();
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).not.toContain("very-secret");
  });

  test("that refuses one statement refuses it for good; what everybody lacks will pass", async () => {
    await using it = await openDatabase();
    const codeOf = async (statement: string) => {
      const error = await failureOf(asked("try", () => it.sql.unsafe(statement)));
      return error instanceof PipelineError ? error.code : error.message;
    };
    expect(await codeOf("select 1 / 0")).toBe("refused");
    expect(await codeOf("select 'x'::integer")).toBe("refused");
    expect(await codeOf("select * from never_made")).toBe("unavailable");
    expect(await codeOf("set statement_timeout = 20; select pg_sleep(10)")).toBe("timeout");
  });

  test("is waited for with one word, until it is there or the signal aborts", async () => {
    const stop = new AbortController();
    const warned: object[] = [];
    const warn = (fields: object) => {
      warned.push(fields);
      stop.abort(new DOMException("stopped", "AbortError"));
    };
    const opening = openRawStore(
      { url: at({ port: "1" }) },
      { log: { ...log, warn } as typeof log, signal: stop.signal },
    );
    expect((await failureOf(opening)).message).toBe("stopped");
    expect(warned).toMatchObject([{ what: expect.stringContaining("PostgreSQL at ") }]);
  });

  test("is shown without user and password", () => {
    expect(shownUrl("postgres://me:secret@db.example:5555/users?x=secret")).toBe(
      "db.example:5555/users",
    );
    expect(shownUrl("postgres://me:secret@db.example/users")).toBe("db.example:5432/users");
  });

  test("fails without blaming it for a bug of ours", async () => {
    const bug = new TypeError("x is not a function");
    expect(await failureOf(asked("try", () => Promise.reject(bug)))).toBe(bug);
  });
});
