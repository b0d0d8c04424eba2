import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { pageUsers, type RunFilter } from "../../../lib/domain/run.ts";
import { runsContract } from "../../contracts/runs.ts";
import { claimed, manual, rawStores, silenced } from "../../raw-store.ts";
import { apiUsers, judgedPage } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

runsContract("the runs in PostgreSQL", async () => {
  const it = await openStore();
  return {
    runs: it.runs,
    kept: async () => {
      const rows = await it.sql`select user_id from raw_users order by id`;
      return rows.map(({ user_id }) => user_id);
    },
    silence: async (id) => void (await silenced(it, id)),
    due: async () => void (await it.sql`update runs set not_before = now()`),
    [Symbol.asyncDispose]: it[Symbol.asyncDispose],
  };
});

describe("a run", () => {
  test("has pages of the size it was made with, also one of before that size was changed", async () => {
    await using it = await openStore();
    const [made, before] = [await it.runs.create(manual), await it.runs.create(manual)];
    await it.sql`update runs set page_users = 5000 where id = ${before.id}`;
    expect(await it.runs.claim("me", made.id)).toMatchObject({ pageUsers });
    expect(await it.runs.claim("me", before.id)).toMatchObject({ pageUsers: 5000 });
  });

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

  test("is listed by its state, its trigger and the time it stands for", async () => {
    await using it = await openStore();
    const at = (time: string) => ({ trigger: "schedule", logicalTime: new Date(time) }) as const;
    await it.runs.create({ ...manual, ...at("2026-01-01T00:00:00Z") });
    await it.runs.create({ ...manual, ...at("2026-01-02T00:00:00Z") });
    await it.runs.create({ ...manual, ...at("2026-01-03T00:00:00Z"), trigger: "backfill" });
    await it.runs.create(manual);
    await it.sql`update runs set state = 'failed' where id in (1, 2)`;
    const ids = async (filter: Omit<RunFilter, "limit">) =>
      (await it.runs.list({ limit: 10, ...filter })).map(({ id }) => id);
    expect(await ids({ states: ["queued"] })).toEqual([4, 3]);
    expect(await ids({ states: ["failed", "queued"], before: 3 })).toEqual([2, 1]);
    expect(await ids({ triggers: ["backfill", "manual"] })).toEqual([4, 3]);
    const [from, to] = [new Date("2026-01-02T00:00:00Z"), new Date("2026-01-03T00:00:00Z")];
    expect(await ids({ from, to })).toEqual([2]);
    // A run without a logical time stands for the moment it was made.
    expect(await ids({ from })).toEqual([4, 3, 2]);
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
    const errorChain = ["a\0b '); drop table runs; --\n😀\ud83d", '{"a,b"}'];
    await it.runs.finish(run, { outcome: "failed", errorChain });
    const found = await it.runs.get(run.id);
    expect(found?.error).toBe(`a\\0b '); drop table runs; --\n😀\ufffd: {"a,b"}`);
    expect(found?.errorChain).toEqual(["a\\0b '); drop table runs; --\n😀\ufffd", '{"a,b"}']);
    expect(found?.finishedAt).not.toBeNull();
    expect(found?.seconds).toBeGreaterThanOrEqual(0);
  });

  test("that nobody knows is none", async () => {
    await using it = await openStore();
    expect(await it.runs.get(42)).toBeUndefined();
    expect(await it.runs.get(999_999_999_999_999)).toBeUndefined();
  });
});
