import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { asked, connect, shownUrl } from "../../../lib/raw/client.ts";
import { migrate } from "../../../lib/raw/migrate.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { failureOf } from "../../failure.ts";
import { accepted, claimed, rawStores } from "../../raw-store.ts";
import { testPostgres } from "../../servers.ts";
import { openDatabase, uniqueIdentifier } from "../../stations.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

const options = { log, signal: never };

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
    // Who makes which part is chance.
    const files = await it.sql<{ name: string }[]>`select name from migrations order by name`;
    expect(applied.flat().toSorted()).toEqual(files.map(({ name }) => name));
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
