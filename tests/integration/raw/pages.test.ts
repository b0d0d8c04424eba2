import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { failureOf } from "../../failure.ts";
import { claimed, rawStores, silenced } from "../../raw-store.ts";
import { apiUsers, judgedPage } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

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
    await it.runs.commitPage(run, { page: 1, payloads: texts, users });
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
    const fewer = { ...page, payloads: apiUsers(2).map((user) => JSON.stringify(user)) };
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
