import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { LetterInfo } from "../../../lib/domain/letter-filter.ts";
import type { Replayed } from "../../../lib/flow/replay-letters.ts";
import type { Verification } from "../../../lib/flow/verify.ts";
import type { ShownLetter } from "../../../lib/letter-text.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import type { OutgoingRecord } from "../../../lib/topic/blocks.ts";
import { openSender } from "../../../lib/topic/producer.ts";
import { openReader } from "../../../lib/topic/reader.ts";
import { jsonOf, runScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../../stations.ts";
import { apiUsers, judgedPage, never, users } from "../../users.ts";

// Each starts a dozen processes.
setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
let api: FakeApiServer;
beforeAll(async () => {
  keyspace = await openKeyspace();
  api = startFakeApi({
    faults: [{ kind: "invalid", amount: 0.2, times: Number.POSITIVE_INFINITY }],
  });
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await keyspace[Symbol.asyncDispose]();
});

/** A store indexes values of up to 64 kB, and refuses a row with a longer one. */
const tooLong = `https://example.org/${"x".repeat(70_000)}`;

/** All stations, made; pictures are indexed until `mend`. */
async function openStations() {
  const pipeline = await openPipeline(keyspace, { partitions: 1 });
  const settings = { ...pipeline.settings, SOURCE_URL: api.url };
  await runScript("migrate", [], settings);
  const index = `pictures_${pipeline.table.split(".")[1]}`;
  await keyspace.client.execute(`create index ${index} on ${pipeline.table} (picture)`);
  return {
    ...pipeline,
    settings,
    mend: () => keyspace.client.execute(`drop index ${pipeline.table.split(".")[0]}.${index}`),
    send: async (records: readonly Partial<OutgoingRecord>[]) => {
      const options = { topic: pipeline.topic.name, maxBytes: 8_000_000, log, signal: never };
      await using sender = await openSender(pipeline.topic, options);
      const whole = records.map((each) => ({ key: null, value: null, headers: [], ...each }));
      expect(await sender.send(whole)).toEqual([]);
    },
    /** Raw rows as a run would keep them, waiting for the topic. */
    receive: async (payloads: readonly unknown[]) => {
      await using raw = await openRawStore(pipeline.database.config, { log, signal: never });
      const { id } = await raw.runs.create({
        trigger: "manual",
        results: payloads.length,
        nat: [],
      });
      const run = await raw.runs.claim("test", id);
      if (!run) throw new Error("no run");
      await raw.runs.commitPage(run, judgedPage(payloads));
      await raw.runs.finish(run, { outcome: "success" });
      return id;
    },
    letters: (...args: string[]) => jsonOf<LetterInfo[]>("dlq", ["list", ...args], settings),
    replay: (...args: string[]) => jsonOf<Replayed>("dlq", ["replay", ...args], settings),
    drain: () => jsonOf<Drained>("consume", ["--drain"], settings),
    verify: (exitCode = 0) => jsonOf<Verification>("verify", [], settings, exitCode),
    rows: async () => {
      const columns = "id, first_name, writetime(first_name) as version";
      const found = await keyspace.client.execute(`select ${columns} from ${pipeline.table}`);
      return new Map(found.rows.map((row) => [String(row.id), row]));
    },
    /** First offset kept and next one of the only partition of the dead letters. */
    letterMarks: async () => {
      await using reader = await openReader(pipeline.topic, { log, signal: never });
      return (await reader.watermarks(pipeline.topic.deadLetters)).get(0);
    },
  };
}

/** What `consume --drain --json` prints. */
interface Drained {
  readonly records: number;
  readonly rows: number;
  readonly deadLetters: number;
}

const value = (user: unknown) => Buffer.from(JSON.stringify(user));
const ids = (letters: readonly LetterInfo[]) => letters.map(({ id }) => id);
const clean = { lost: 0, invented: 0, stale: 0 };

/**
 * On one partition: a row, something not JSON, no email, two users that the index is in the way of,
 * and a value that no letter holds.
 */
async function openPoisoned() {
  const it = await openStations();
  const [first, second, third] = users(3);
  if (!first || !second || !third) throw new Error("no users");
  const long = { ...second, picture: tooLong };
  const versioned = { ...third, picture: tooLong };
  await it.send([
    { value: value(first) },
    { value: Buffer.from("not json"), key: "k", headers: [{ "x\u001b[2J": Buffer.of(0xff) }] },
    { value: value({ ...first, email: undefined }), headers: [{ raw: "x" }] },
    { key: long.id, value: value(long) },
    { value: value(versioned), headers: [{ version: "1700000000000000" }] },
    { value: Buffer.alloc(3_000_000, "x") },
  ]);
  expect(await it.drain()).toMatchObject({ records: 6, rows: 1, deadLetters: 5 });
  return { ...it, long, versioned, id: (offset: number) => `${it.topic.name}/0/${offset}` };
}

describe("dead letters", () => {
  test("are listed and shown", async () => {
    await using it = await openPoisoned();
    const { id } = it;
    const all = await it.letters();
    expect(ids(all)).toEqual([1, 2, 3, 4, 5].map(id));
    expect(all[1]).toEqual({
      ...{ id: id(2), where: "topic", state: "open", stage: "decode", path: "email" },
      ...{ reason: "email: is missing", attempts: 1, at: expect.any(String) },
      ...{ topic: it.topic.name, partition: 0, offset: 2, raw: null, run: null },
    });
    expect(ids(await it.letters("--stage", "write", "--offset", "2..3"))).toEqual([id(3)]);
    expect(ids(await it.letters("--origin", id(4), id(1), "--limit", "1"))).toEqual([id(1)]);
    const text = await runScript("dlq", ["list", "--reason", "EMAIL"], it.settings);
    expect(text.stdout).toStartWith(`${id(2)}  `);
    expect(text.stdout).toEndWith("decode  attempt 1  email: is missing\n");
    const none = await runScript("dlq", ["list", "--to", "2026-01-01"], it.settings);
    expect(none.stdout).toBe("no letters\n");

    expect(await jsonOf<ShownLetter>("dlq", ["show", id(1)], it.settings)).toMatchObject({
      ...{ id: id(1), key: { as: "text", value: "k" }, value: { as: "text", value: "not json" } },
      ...{ headers: { "x\u001b[2J": "base64:/w==" }, letter: { partition: 0, offset: 0 } },
    });
    const show = await runScript("dlq", ["show", id(3)], it.settings);
    expect(show.stdout).toContain(`"last_name": ${JSON.stringify(it.long.last_name)}`);
    const missing = await runScript("dlq", ["show", id(99)], it.settings);
    expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(missing.stderr).toContain(`there is no letter ${id(99)}`);
  });

  test("are replayed: rows of the version they had where mended, else letters once more", async () => {
    await using it = await openPoisoned();
    const { id } = it;
    expect(await it.replay("--all", "--dry-run")).toMatchObject({
      ...{ letters: 5, replayed: 4, kept: 1, refused: 0, dryRun: true },
    });
    expect(await it.drain()).toMatchObject({ records: 0 });

    // Not mended: they fail once more, and are the same letters.
    expect(await it.replay("--stage", "write")).toMatchObject({ letters: 2, replayed: 2 });
    expect(await it.letters()).toHaveLength(3);
    expect(await it.drain()).toMatchObject({ records: 2, rows: 0, deadLetters: 2 });
    const attempts = async () =>
      Object.fromEntries((await it.letters()).map(({ id, attempts }) => [id, attempts]));
    expect(await attempts()).toEqual({
      [id(1)]: 1,
      [id(2)]: 1,
      [id(3)]: 2,
      [id(4)]: 2,
      [id(5)]: 1,
    });
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 5, table: 1 });

    await it.mend();
    const { recordAt } = await jsonOf<ShownLetter>("dlq", ["show", id(3)], it.settings);
    const replayed = await runScript("dlq", ["replay", "--all"], it.settings);
    expect(replayed.stdout).toBe("5 letters, 4 replayed, 0 refused, 1 kept\n");
    expect(replayed.stderr).toContain(id(5));
    expect(await it.drain()).toMatchObject({ records: 4, rows: 2, deadLetters: 2 });
    const rows = await it.rows();
    expect(rows.size).toBe(3);
    expect(Number(rows.get(it.long.id)?.version)).toBe(Date.parse(recordAt ?? "") * 1000 + 3);
    expect(Number(rows.get(it.versioned.id)?.version)).toBe(1_700_000_000_000_000);
    expect(await attempts()).toEqual({ [id(1)]: 2, [id(2)]: 2, [id(5)]: 1 });
    expect(ids(await it.letters("--state", "replayed")).toSorted()).toEqual([id(3), id(4)]);
  });

  test("are purged: no longer listed, and deleted where nothing open lies before", async () => {
    await using it = await openPoisoned();
    const { id } = it;
    const purge = (...args: string[]) => jsonOf("dlq", ["purge", ...args], it.settings);
    expect(await purge(id(1), "--dry-run")).toEqual({ letters: 1, purged: 1, dryRun: true });
    expect(await it.letterMarks()).toEqual({ low: 0, high: 5 });
    expect(await purge(id(2))).toEqual({ letters: 1, purged: 1, dryRun: false });
    expect(ids(await it.letters())).toEqual([1, 3, 4, 5].map(id));
    expect(await it.letterMarks()).toEqual({ low: 0, high: 5 });
    expect(await purge("--reason", "value: ", "--limit", "1")).toMatchObject({ purged: 1 });
    expect(await it.letterMarks()).toEqual({ low: 2, high: 5 });
    expect(await purge("--all")).toMatchObject({ purged: 3 });
    expect(await it.letters("--state", "all")).toEqual([]);
    expect(await it.letterMarks()).toEqual({ low: 5, high: 5 });
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 0, table: 1 });
  });

  test("excuse their raw rows, until they are replayed", async () => {
    await using it = await openStations();
    const picture = { large: "", medium: tooLong, thumbnail: "" };
    await it.receive(apiUsers(2).map((user) => ({ ...user, picture })));
    await runScript("ingest", ["--once", "--results", "1", "--seed", "a-"], it.settings);
    await it.drain();
    const dead = await it.letters("--stage", "write");
    expect(dead.map(({ raw }) => raw).toSorted()).toEqual([1, 2]);
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 2 });

    const [one, other] = dead;
    if (!one || !other) throw new Error("no letters");
    await it.replay(one.id);
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 1, onTheWay: 1 });
    await it.drain();
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 2, onTheWay: 0 });

    await it.mend();
    await it.replay(one.id);
    expect(await it.drain()).toMatchObject({ rows: 1, deadLetters: 0 });
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 1 });
    // A letter that was purged, and is gone from its topic, still excuses its row.
    await runScript("dlq", ["purge", other.id], it.settings);
    expect(await it.letterMarks()).toEqual({ low: 3, high: 3 });
    expect(await it.verify()).toMatchObject({ ...clean, deadLetters: 0 });
    // One that was replayed does not.
    const [row] = await it.database.sql`select user_id from raw_users where id = ${one.raw}`;
    await keyspace.client.execute(`delete from ${it.table} where id = ${row?.user_id}`);
    expect(await it.verify(1)).toMatchObject({ ...clean, lost: 1 });
  });
});

describe("rejected rows", () => {
  test("are listed beside dead letters, judged again, and purged", async () => {
    await using it = await openStations();
    const [user, mended, worse] = apiUsers(3);
    const spoilt = { ...mended, email: 5 };
    const run = await it.receive([user, spoilt, { ...worse, phone: null }, { login: {} }]);
    await it.send([{ value: Buffer.from("not json") }]);
    await it.drain();

    const all = await it.letters();
    expect(ids(all)).toEqual([`${it.topic.name}/0/0`, "raw/2", "raw/3", "raw/4"]);
    expect(all[1]).toEqual({
      ...{ id: "raw/2", where: "raw", state: "open", stage: "fetch", path: "email" },
      ...{ reason: "email: 5 is not text", attempts: 1, at: expect.any(String) },
      ...{ topic: null, partition: null, offset: null, raw: 2, run },
    });
    expect(await jsonOf<ShownLetter>("dlq", ["show", "raw/2"], it.settings)).toMatchObject({
      value: { as: "json", value: JSON.parse(JSON.stringify(spoilt)) },
    });

    const { sql } = it.database;
    await sql`update raw_users set payload = ${JSON.stringify(mended)}::text::json where id = 2`;
    await sql`update raw_users set payload = ${JSON.stringify({ ...worse, phone: 7 })}::text::json where id = 3`;
    const dry = await it.replay("--where", "raw", "--dry-run");
    expect(dry).toMatchObject({ letters: 3, replayed: 1, refused: 2 });
    expect(await it.letters("--where", "raw")).toEqual(all.slice(1));
    expect(await it.replay("--where", "raw")).toMatchObject({
      letters: 3,
      replayed: 1,
      refused: 2,
    });
    const left = await it.letters("--where", "raw");
    expect(left.map(({ id, attempts, reason }) => ({ id, attempts, reason }))).toEqual([
      { id: "raw/3", attempts: 2, reason: "phone: 7 is not text" },
      { id: "raw/4", attempts: 2, reason: expect.stringContaining("is missing") },
    ]);
    const [counted] = await sql`select accepted, rejected from runs where id = ${run}`;
    expect(counted).toEqual({ accepted: 2, rejected: 2 });

    // It is on the topic already: no relay is needed besides.
    expect(await it.drain()).toMatchObject({ rows: 2 });
    expect(await it.verify()).toMatchObject({
      ...clean,
      raw: 4,
      rejected: 2,
      pending: 0,
      table: 2,
    });

    const purge = ["purge", "--where", "raw", "--json"];
    expect(JSON.parse((await runScript("dlq", purge, it.settings)).stdout)).toMatchObject({
      purged: 2,
    });
    expect(await it.letters("--where", "raw")).toEqual([]);
    expect(ids(await it.letters("--where", "raw", "--state", "purged"))).toHaveLength(2);
    expect(await it.replay("--where", "raw")).toMatchObject({ letters: 0 });
    expect(await it.verify()).toMatchObject({ ...clean, raw: 4, rejected: 2 });
  });
});

describe("wrong usage", () => {
  test.each([
    [[], "list, show, replay, purge"],
    [["replay"], "--all"],
    [["purge", "--limit", "5"], "--all"],
    [["purge", "--all", "--reason", "x"], "--all goes without a filter"],
  ])("is told in words, with exit code 2, before anything is opened: %j", async (args, words) => {
    const { exitCode, stdout, stderr } = await runScript("dlq", args, {
      KAFKA_BROKERS: "127.0.0.1:1",
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(words);
  });
});
