import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import { parseApiUser, type User } from "../../../lib/domain/user.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openSender } from "../../../lib/topic/producer.ts";
import { runOnTerminal } from "../../on-terminal.ts";
import { jsonOf, runScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../../stations.ts";
import { never } from "../../users.ts";

setDefaultTimeout(300_000);

/** What is data in one place and a command in another. */
const hostile: readonly string[] = [
  "'; drop table raw_users; --",
  "' || pg_sleep(60) || '",
  '"; drop keyspace system; --',
  "$1 ? :name @name {{7*7}} `reboot` $(reboot)",
  "\\'; \\\" \\u0027 \\x27 %27 %00",
  "a\0b",
  'a\r\n{"level":60,"msg":"forged"}',
  "\x1b[2J\x1b]0;owned\x07\u009b31m",
  "\u202egnp.exe \u2066\u2028\u2029\ufeff",
  "Set-Cookie: a=b\r\n\r\n<script>alert(1)</script>",
  "../../etc/passwd",
  `$${"{7*7}"}`,
  "=cmd|' /C calc'!A0",
  "💥".repeat(1000),
  "x".repeat(100_000),
];

interface ApiUser {
  readonly login: object;
  readonly location: object;
  readonly picture: object;
}

let keyspace: TestKeyspace;
let generated: FakeApiServer;
beforeAll(async () => {
  generated = startFakeApi();
  keyspace = await openKeyspace();
});
afterAll(async () => {
  await generated[Symbol.asyncDispose]();
  await keyspace[Symbol.asyncDispose]();
});

/** A user of the stand-in with this text in every field that takes a text. */
function poisoned(user: ApiUser, text: string): object {
  return {
    ...user,
    gender: text,
    name: { title: text, first: text, last: text },
    location: { ...user.location, street: { number: 1, name: text }, city: text, country: text },
    email: text,
    login: { ...user.login, username: text },
    phone: text,
    picture: { ...user.picture, medium: text },
  };
}

/** An API that answers with the users that `change` makes of those of the stand-in. */
async function openApi(change: (users: ApiUser[]) => string) {
  const bodies: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const answer = await fetch(`${generated.url}${new URL(request.url).search}`);
      const { results } = (await answer.json()) as { results: ApiUser[] };
      const body = change(results);
      bodies.push(body);
      return new Response(body, { headers: { "content-type": "application/json" } });
    },
  });
  return { url: server.url.href, bodies, [Symbol.dispose]: () => void server.stop(true) };
}

describe("what an API sends", () => {
  test("arrives in the table exactly as it was, and is run, shown and obeyed nowhere", async () => {
    using api = await openApi((users) =>
      JSON.stringify({ results: users.map((user, n) => poisoned(user, hostile[n] ?? "")) }),
    );
    await using it = await openPipeline(keyspace);
    const settings = { ...it.settings, SOURCE_URL: api.url, LOG_LEVEL: "debug" };
    const asked = ["--once", "--json", "--results", String(hostile.length)];
    const ingested = await runScript("ingest", asked, settings);
    expect(JSON.parse(ingested.stdout) as Run).toMatchObject({
      ...{ state: "success", accepted: hostile.length, published: hostile.length },
    });
    expect((await runScript("consume", ["--drain"], settings)).exitCode).toBe(0);
    for (const line of ingested.stderr.trim().split("\n")) {
      // Progress is told in lines of its own.
      expect(line).toMatch(/^(\{"level":\d0,[\x20-\x7e]*\}|ingest \[[ -~]*)$/);
    }
    const { results } = JSON.parse(api.bodies[0] ?? "") as { results: unknown[] };
    const expected = results.map((each) => {
      const judged = parseApiUser(each);
      if (!("user" in judged)) throw new Error(judged.rejection.reason);
      return judged.user;
    });
    const { rows } = await keyspace.client.execute(`select * from ${it.table}`);
    for (const user of expected) {
      const row = rows.find((each) => String(each.get("id")) === user.id);
      for (const name of Object.keys(user) as (keyof User)[]) {
        expect(String(row?.get(name))).toBe(user[name]);
      }
    }
    expect(rows).toHaveLength(expected.length);
    expect(await jsonOf<object>("verify", [], settings)).toMatchObject({ lost: 0, stale: 0 });
  });

  test("and cannot be a text is rejected, with the reason, and the rest goes on", async () => {
    const [half, large] = ["\ud800", "x".repeat(1_100_000)];
    using api = await openApi((users) =>
      JSON.stringify({
        results: users.map((user, n) => poisoned(user, [half, large][n] ?? "fine")),
      }),
    );
    await using it = await openPipeline(keyspace);
    const settings = { ...it.settings, SOURCE_URL: api.url };
    const run = await jsonOf<Run>("ingest", ["--once", "--results", "3"], settings);
    expect(run).toMatchObject({ state: "success", fetched: 3, published: 1 });
    const rejected = await it.database.sql`select reason from rejected_users order by 1`;
    const reasons = rejected.map(({ reason }) => String(reason)).join("\n");
    expect(reasons).toContain("well-formed Unicode text");
    expect(rejected).toHaveLength(2);
    expect(reasons.length).toBeLessThan(2000);
  });

  test("moves no cursor and forges no line on a terminal, not even as an error", async () => {
    using api = await openApi(() => `\x1b[2J\u009b31m\u202e\r\n{"level":60}${"x".repeat(99)}`);
    await using it = await openPipeline(keyspace);
    const settings = { ...it.settings, SOURCE_URL: api.url, LOG_LEVEL: "debug" };
    const shown = await runOnTerminal("ingest", ["--once", "--results", "1"], settings);
    expect(shown).toContain("are not JSON");
    expect(shown.replaceAll("\n", "")).toMatch(/^[\x20-\x7e…]*$/);
  });
});

describe("what stands on the topic", () => {
  test("is shown by dlq without moving the cursor", async () => {
    await using it = await openPipeline(keyspace);
    expect((await runScript("migrate", [], it.settings)).exitCode).toBe(0);
    const options = { log, signal: never };
    await using sender = await openSender(it.topic, { ...options, topic: it.topic.name });
    await sender.send(
      hostile.map((text) => ({
        key: Buffer.from(text.slice(0, 500)),
        value: Buffer.from(JSON.stringify({ id: text })),
        headers: [{ format: Buffer.from("1") }, { "x-\x1b[2J": Buffer.from(text.slice(0, 500)) }],
      })),
    );
    await jsonOf<object>("consume", ["--drain"], it.settings);
    const listed = await runOnTerminal("dlq", ["list"], it.settings);
    const json = await runOnTerminal("dlq", ["list", "--json"], it.settings);
    const letters = JSON.parse(json) as { id: string }[];
    expect(letters).toHaveLength(hostile.length);
    const shown = [listed, json];
    for (const { id } of letters.slice(4, 9)) {
      shown.push(await runOnTerminal("dlq", ["show", id], it.settings));
    }
    for (const text of shown) {
      expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
    }
  });
});

test("what a person types is told back without moving the cursor", async () => {
  for (const args of [["--once", "--seed", "\x1b[2J a"], ["\x1b[2J\u009b\u202e"]]) {
    const { exitCode, stderr } = await runScript("ingest", args);
    expect(exitCode).toBe(2);
    expect(stderr.replaceAll("\n", "")).toMatch(/^[\x20-\x7e]*$/);
  }
});
