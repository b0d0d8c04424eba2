import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import { parseApiUser, type User } from "../../../lib/domain/user.ts";
import type { Verification } from "../../../lib/flow/verify.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../../lib/log.ts";
import type { OutgoingRecord } from "../../../lib/topic/blocks.ts";
import { letterOrigin } from "../../../lib/topic/dead-letters.ts";
import { ensureTopics } from "../../../lib/topic/kafka.ts";
import { openSender } from "../../../lib/topic/producer.ts";
import { openReader } from "../../../lib/topic/reader.ts";
import { jsonOf, runScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../../stations.ts";
import { never, users } from "../../users.ts";

setDefaultTimeout(180_000);

let keyspace: TestKeyspace;
let api: FakeApiServer;
beforeAll(async () => {
  keyspace = await openKeyspace();
  api = startFakeApi({
    faults: [{ kind: "invalid", amount: 0.03, times: Number.POSITIVE_INFINITY }],
  });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await keyspace[Symbol.asyncDispose]();
});

/** What `consume --drain --json` prints. */
interface Drained {
  readonly records: number;
  readonly rows: number;
  readonly deadLetters: number;
}

/** The users that the API gives for a seed, as far as they are users. */
async function usersOf(seed: string, results: number): Promise<User[]> {
  const answer = await fetch(`${api.url}?seed=${seed}&page=1&results=${results}`);
  const { results: given } = (await answer.json()) as { results: unknown[] };
  return given.flatMap((each) => {
    const judged = parseApiUser(each);
    return "user" in judged ? [judged.user] : [];
  });
}

async function openStations() {
  const pipeline = await openPipeline(keyspace);
  const settings = { ...pipeline.settings, SOURCE_URL: api.url };
  const select = async (columns: string) => {
    const found = await keyspace.client.execute(`select ${columns} from ${pipeline.table}`, [], {
      fetchSize: 5000,
    });
    return found.rows;
  };
  return { ...pipeline, settings, select };
}

describe("migrate", () => {
  test("makes what is missing, and does nothing the second time", async () => {
    await using it = await openStations();
    for (let time = 0; time < 2; time++) {
      const { exitCode, stdout } = await runScript("migrate", [], it.settings);
      expect(exitCode).toBe(0);
      expect(stdout).toContain(it.topic.name);
    }
    expect(await it.select("id")).toEqual([]);
    const [row] = await it.database.sql`select count(*) from raw_users`;
    expect(row).toEqual({ count: 0 });
  });
});

describe("the whole way", () => {
  test("is clean: every user in the table as the API gave it, once, and each difference is found", async () => {
    await using it = await openStations();
    const results = 400;
    const expected = await usersOf("mine-", results);
    const rejected = results - expected.length;
    expect(rejected).toBeGreaterThan(0);
    const once = ["--once", "--results", String(results), "--seed", "mine-"];
    const accepted = expected.length;

    const run = await jsonOf<Run>("ingest", once, it.settings);
    expect(run).toMatchObject({
      ...{ id: 1, state: "success", trigger: "manual", attempt: 1, seed: "mine-", results },
      ...{ fetched: results, accepted, rejected, published: accepted, error: null },
    });

    const onTheWay = await jsonOf<Verification>("verify", [], it.settings);
    expect(onTheWay).toMatchObject({ raw: results, topic: accepted, onTheWay: accepted, lost: 0 });

    const drained = await jsonOf<Drained>("consume", ["--drain"], it.settings);
    expect(drained).toMatchObject({ records: accepted, rows: accepted, deadLetters: 0 });
    const clean = {
      ...{ raw: results, rejected, pending: 0, topic: accepted, deadLetters: 0, table: accepted },
      ...{ lost: 0, invented: 0, stale: 0, onTheWay: 0 },
    };
    expect(await jsonOf<Verification>("verify", [], it.settings)).toEqual(clean);
    const rows = await it.select("id, first_name, dob, address");
    const byId = (list: readonly object[]) => list.map((each) => JSON.stringify(each)).toSorted();
    expect(
      byId(
        rows.map((row) => ({
          ...{ id: String(row.id), first_name: row.first_name },
          ...{ dob: String(row.dob), address: row.address },
        })),
      ),
    ).toEqual(
      byId(expected.map(({ id, first_name, dob, address }) => ({ id, first_name, dob, address }))),
    );

    // The same seed again: the same users, newer versions.
    expect(await jsonOf<Run>("ingest", once, it.settings)).toMatchObject({ id: 2, accepted });
    const again = await jsonOf<Drained>("consume", ["--drain"], it.settings);
    expect(again).toMatchObject({ records: accepted, rows: accepted });
    const twice = { ...clean, raw: 2 * results, rejected: 2 * rejected, topic: 2 * accepted };
    expect(await jsonOf<Verification>("verify", [], it.settings)).toEqual(twice);

    // Whatever is changed in the table by hand is found.
    const [gone, changed, renamed] = expected;
    const foreign = crypto.randomUUID();
    const cql = (statement: string) => keyspace.client.execute(statement);
    await cql(`delete from ${it.table} where id = ${gone?.id}`);
    await cql(`update ${it.table} set phone = '0' where id = ${changed?.id}`);
    await cql(`update ${it.table} set first_name = 'X' where id = ${renamed?.id}`);
    await cql(`insert into ${it.table} (id, first_name) values (${foreign}, 'X')`);
    const found = await jsonOf<Verification>("verify", ["--ids"], it.settings, 1);
    expect(found).toMatchObject({ ...twice, lost: 1, stale: 2, invented: 1 });
    expect(found.ids).toEqual({
      lost: [gone?.id ?? ""],
      stale: expect.arrayContaining([changed?.id ?? "", renamed?.id ?? ""]),
      invented: [foreign],
    });
    const text = await runScript("verify", [], it.settings);
    expect(text.exitCode).toBe(1);
    expect(text.stdout).toMatch(/lost +1\n(.*\n)*.*NOT clean/);
  });
});

describe("consume --drain", () => {
  test("of an empty topic gives zeros", async () => {
    await using it = await openStations();
    const drained = await jsonOf<Drained>("consume", ["--drain"], it.settings);
    expect(drained).toMatchObject({ records: 0, rows: 0, deadLetters: 0 });
  });

  test("makes one dead letter of each record that is no user, and rows of its neighbours", async () => {
    await using it = await openStations();
    const [first, second, third, fourth] = users(4);
    if (!first || !second || !third || !fourth) throw new Error("no users");
    const hostile: User = {
      ...fourth,
      first_name: "'); drop table created_users; --",
      last_name: '"quotes" \\ \0 \u2028',
      address: "line\nline\r\n",
    };
    const value = (user: unknown) => Buffer.from(JSON.stringify(user));
    const poison: [Partial<OutgoingRecord>, string][] = [
      [{ value: Buffer.from("not json") }, "value: "],
      [{ value: Buffer.from("") }, "value: "],
      [{ value: null }, "value: there is none"],
      [{ value: value({ ...first, email: undefined }) }, "email: "],
      [{ value: value({ ...first, phone: 5551234 }) }, "phone: 5551234 is not text"],
      [{ value: value({ ...first, dob: "1990-02-30" }) }, 'dob: "1990-02-30"'],
      [{ value: value(null), key: "" }, "value: null is not an object"],
      [{ value: Buffer.of(0x22, 0xff, 0xfe, 0x22) }, "value: "],
      [{ value: Buffer.alloc(900_000, "x") }, "value: "],
      [{ value: value(first), headers: [{ version: "soon" }] }, 'header version: "soon"'],
      [{ value: value(first), headers: [{ format: "2" }] }, 'header format: "2"'],
      [
        { value: value({}), headers: [{ "a\r\nb: c": "d\r\ne" }, { h: "'); drop table x; --" }] },
        "id: ",
      ],
      [{ value: value({}), headers: [{ format: "\u0001".repeat(300_000) }] }, "header format: "],
    ];
    await ensureTopics(it.topic, { log, signal: never });
    await using sender = await openSender(it.topic, { topic: it.topic.name, log, signal: never });
    const good = [first, second, third, hostile].map((user) => ({ value: value(user) }));
    const between = poison.flatMap(([record], at) =>
      at % 4 === 0 ? [good[at / 4] ?? {}, record] : [record],
    );
    const records = between.map((record) => ({ key: null, value: null, headers: [], ...record }));
    expect(await sender.send(records)).toEqual([]);

    const drained = await jsonOf<Drained>("consume", ["--drain"], it.settings);
    expect(drained).toMatchObject({ records: 17, rows: 4, deadLetters: 13 });
    const rows = await it.select("id, first_name, last_name, address");
    expect(rows).toHaveLength(4);
    const row = rows.find(({ id }) => String(id) === hostile.id);
    expect(row).toMatchObject({
      ...{ first_name: hostile.first_name, last_name: hostile.last_name, address: hostile.address },
    });

    await using reader = await openReader(it.topic, { log, signal: never });
    const letters = (await Array.fromAsync(reader.read(it.topic.deadLetters))).flat();
    expect(letters).toHaveLength(poison.length);
    const origins = letters.map(letterOrigin);
    expect(new Set(origins.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(13);
    expect(origins.every(({ topic }) => topic === it.topic.name)).toBe(true);
    for (const [record, reason] of poison) {
      const same = letters.filter(
        (letter) =>
          String(letter.value) === String(record.value) &&
          String(letter.headers["__connect.errors.exception.message"]).startsWith(reason),
      );
      expect({ reason, letters: same.length }).toEqual({ reason, letters: 1 });
    }

    // All of it is committed: the next time there is nothing.
    const again = await jsonOf<Drained>("consume", ["--drain"], it.settings);
    expect(again).toMatchObject({ records: 0, rows: 0, deadLetters: 0 });
  });
});

describe("ingest --once", () => {
  test("with an API that answers a web page fails in one clear line", async () => {
    await using it = await openStations();
    const settings = { ...it.settings, SOURCE_URL: `${api.url}?fault=html`, LOG_LEVEL: "silent" };
    const end = await runScript("ingest", ["--once", "--results", "5"], settings);
    expect(end.exitCode).toBe(1);
    expect(end.stdout.trim().split("\n")).toHaveLength(1);
    expect(end.stdout).toStartWith("run 1 failed: ");
    expect(end.stdout).toContain("answered text/html; charset=utf-8, not JSON");
    const [run] = await it.database.sql`select state, error, pages from runs`;
    expect(run).toMatchObject({ state: "failed", pages: 0 });
    expect(run?.error).toContain("not JSON");
  });
});
