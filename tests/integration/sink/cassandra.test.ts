import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { PipelineError } from "../../../lib/errors.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { type CassandraSink, openSink } from "../../../lib/sink/cassandra.ts";
import { sinkContract } from "../../contracts/sink.ts";
import { failureOf } from "../../failure.ts";
import { openKeyspace, type TestKeyspace, uniqueIdentifier } from "../../stations.ts";
import { until } from "../../until.ts";
import { never, rows } from "../../users.ts";

setDefaultTimeout(180_000);

const options = { log, signal: never };
let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(() => keyspace[Symbol.asyncDispose]());

const allRows = async (sink: CassandraSink) => (await Array.fromAsync(sink.scan())).flat();

async function openTable(tableLog = log) {
  const config = keyspace.config();
  const sink = await openSink(config, { ...options, log: tableLog });
  return {
    config,
    sink,
    table: `${config.keyspace}.${config.table}`,
    rows: () => allRows(sink),
    indexAddresses: async () => {
      await keyspace.client.execute(`create index on ${config.keyspace}.${config.table} (address)`);
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  };
}

sinkContract("the table in Cassandra", () => openTable());

describe("the table", () => {
  test("is made once, and found again with its rows", async () => {
    await using first = await openTable();
    const all = rows(3);
    await first.sink.upsert(all, never);
    await using again = await openSink(first.config, options);
    expect(await allRows(again)).toHaveLength(3);
  });

  test("is looked into by id: what is there is found with its write time", async () => {
    await using it = await openTable();
    const [first, second, third] = rows(3);
    if (!first || !second || !third) throw new Error("no rows");
    await it.sink.upsert([first, second], never);
    const found = await it.sink.find([first, second, third].map(({ user }) => user.id));
    const byVersion = found.toSorted((a, b) => a.version - b.version);
    expect(byVersion).toEqual([first, second]);
    expect(await it.sink.find([])).toEqual([]);
    const config = keyspace.config();
    await using none = await openSink(config, { ...options, readOnly: true });
    expect(await none.find([first.user.id])).toEqual([]);
  });

  test("has the documented columns, and an id as its key", async () => {
    await using it = await openTable();
    const found = await keyspace.client.execute(
      "select column_name, type, kind from system_schema.columns where keyspace_name = ? and table_name = ?",
      [it.config.keyspace, it.config.table],
    );
    const columns = found.rows.map((row) => `${row.column_name} ${row.type} ${row.kind}`);
    const texts = "first_name last_name gender address email username phone picture".split(" ");
    expect(columns.toSorted()).toEqual(
      [
        "id uuid partition_key",
        "dob date regular",
        "registered_date date regular",
        ...texts.map((name) => `${name} text regular`),
      ].toSorted(),
    );
  });

  test("may be made by many at once", async () => {
    const config = keyspace.config();
    const sinks = await Promise.all([1, 2, 3].map(() => openSink(config, options)));
    await Promise.all(sinks.map((sink) => sink.upsert(rows(5), never)));
    const [one] = sinks;
    expect(one && (await allRows(one))).toHaveLength(15);
    await Promise.all(sinks.map((sink) => sink[Symbol.asyncDispose]()));
  });

  test("that is dropped is made again, which is said once, and writing goes on", async () => {
    const warned: object[] = [];
    const warn = (fields: object) => void warned.push(fields);
    await using it = await openTable({ ...log, warn } as typeof log);
    const all = rows(20);
    await it.sink.upsert(all, never);
    await keyspace.client.execute(`drop table ${it.table}`);
    const error = await failureOf(it.sink.upsert(all, never));
    expect(error).toMatchObject({ name: "PipelineError", code: "unavailable", retryable: true });
    expect(await it.sink.upsert(all, never)).toEqual([]);
    expect(await it.rows()).toHaveLength(20);
    expect(warned).toEqual([
      { table: it.table, hint: "`bun run runs republish` brings its rows back" },
    ]);
  });

  test("that is dropped between a refusal and the next try is no row's fault", async () => {
    await using it = await openTable();
    await it.indexAddresses();
    const bad = rows(9).map(({ user, version }) => ({
      user: { ...user, address: "x".repeat(65_536) },
      version,
    }));
    for (let times = 0; times < 3; times++) {
      const refused = it.sink.upsert(bad, never).catch((error: PipelineError) => error.code);
      await keyspace.client.execute(`drop table ${it.table}`);
      // Refused by the table that was, or failed: never refused because there was no table.
      const outcome = await refused;
      if (typeof outcome === "string") expect(outcome).toBe("unavailable");
      else expect(outcome[0]?.rejection.reason).toContain("address");
      await it.sink.upsert(bad, never).catch(() => "made again");
      await it.indexAddresses().catch(() => "indexed already");
    }
  });

  test("whose keyspace is dropped is made again with it, and writing goes on", async () => {
    const own = { ...keyspace.config(), keyspace: uniqueIdentifier() };
    await using sink = await openSink(own, options);
    await sink.upsert(rows(3), never);
    await keyspace.client.execute(`drop keyspace ${own.keyspace}`);
    expect(await failureOf(sink.upsert(rows(3), never))).toMatchObject({ code: "unavailable" });
    expect(await sink.upsert(rows(30), never)).toEqual([]);
    expect(await allRows(sink)).toHaveLength(30);
    await keyspace.client.execute(`drop keyspace ${own.keyspace}`);
  });

  test("that lacks a column is no row's fault either: the column is named", async () => {
    await using it = await openTable();
    await keyspace.client.execute(`alter table ${it.table} drop phone`);
    const error = await failureOf(it.sink.upsert(rows(3), never));
    expect(error).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("its column phone is missing, expected text"),
    });
  });

  test("of another make is waited for, and used when it is altered", async () => {
    const config = keyspace.config();
    const table = `${config.keyspace}.${config.table}`;
    const texts = "first_name last_name gender address email username phone registered_date";
    const columns = texts.split(" ").map((name) => `${name} text`);
    await keyspace.client.execute(`create table ${table} (id uuid primary key, ${columns})`);
    const reasons: string[] = [];
    const warn = (fields: { reason: string }) => void reasons.push(fields.reason);
    const opening = openSink(config, { ...options, log: { ...log, warn } as typeof log });
    await until(() => reasons.length > 0);
    for (const fault of [
      "its column dob is missing, expected date",
      "its column picture is missing, expected text",
      "its column registered_date is text, expected date",
    ]) {
      expect(reasons[0]).toContain(fault);
    }
    await keyspace.client.execute(`drop table ${table}`);
    await using sink = await opening;
    expect(await sink.upsert(rows(3), never)).toEqual([]);
  });

  test("takes none of 16 MiB, the most of a request: refused, and its neighbours written", async () => {
    await using it = await openTable();
    const all = rows(10);
    const [one] = rows(1);
    if (!one) throw new Error("no row");
    const huge = { ...one, user: { ...one.user, picture: "x".repeat(17 * 1024 * 1024) } };
    const refused = await it.sink.upsert([...all.slice(0, 3), huge, ...all.slice(3)], never);
    expect(refused).toMatchObject([
      { index: 3, rejection: { reason: expect.stringContaining("too big") } },
    ]);
    expect(await it.rows()).toHaveLength(10);
  });

  test("takes rows too large for a batch", async () => {
    await using it = await openTable();
    // Cassandra refuses batches above 50 KiB; single rows may have megabytes.
    const all = rows(10).map(({ user, version }) => ({
      user: { ...user, picture: "x".repeat(900_000) },
      version,
    }));
    expect(await it.sink.upsert(all, never)).toEqual([]);
    expect(await it.rows()).toHaveLength(10);
  });
});

describe("a scan", () => {
  test("gives every row once with its version, page by page", async () => {
    await using it = await openTable();
    const all = rows(5000);
    await it.sink.upsert(all, never);
    const pages = await Array.fromAsync(it.sink.scan());
    const versions = pages.flat().map(({ version }) => version);
    expect(versions.toSorted()).toEqual(all.map(({ version }) => version).toSorted());
    expect(Math.max(...pages.map((page) => page.length))).toBeLessThanOrEqual(2000);
  });

  test("gives rows that others wrote, what they lack as null", async () => {
    await using it = await openTable();
    const id = crypto.randomUUID();
    await keyspace.client.execute(`insert into ${it.table} (id, email) values (${id}, 'a@b')`);
    expect(JSON.parse(JSON.stringify(await it.rows()))).toMatchObject([
      { user: { id, email: "a@b", first_name: null, dob: null }, version: 0 },
    ]);
  });

  test("of a sample gives as many as asked for, or what is there", async () => {
    await using it = await openTable();
    await it.sink.upsert(rows(3), never);
    expect(await it.sink.sample(2)).toHaveLength(2);
    expect(await it.sink.sample(9)).toHaveLength(3);
  });
});

describe("a store", () => {
  test("that answers is ready", async () => {
    await using it = await openTable();
    await it.sink.ping();
  });

  test("that is not there is waited for, until the signal aborts", async () => {
    const stop = new AbortController();
    const config = { ...keyspace.config(), contactPoints: ["127.0.0.1:1"] };
    const warned: object[] = [];
    const warn = (fields: object) => {
      warned.push(fields);
      stop.abort(new DOMException("stopped", "AbortError"));
    };
    const opening = openSink(config, { log: { ...log, warn } as typeof log, signal: stop.signal });
    expect((await failureOf(opening)).message).toBe("stopped");
    expect(warned).toMatchObject([
      { what: "the store at 127.0.0.1:1", reason: expect.stringContaining("127.0.0.1:1") },
    ]);
  });

  test("is closed twice without harm", async () => {
    const it = await openTable();
    await it.sink[Symbol.asyncDispose]();
    await it.sink[Symbol.asyncDispose]();
  });
});
