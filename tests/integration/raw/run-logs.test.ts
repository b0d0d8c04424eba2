import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type LogLine, parseLogId } from "../../../lib/domain/attempt.ts";
import { claimed, manual, rawStores, silenced } from "../../raw-store.ts";
import { apiUsers, judgedPage, never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

const at = "2026-01-31T12:00:00.123Z";
const line = (number: number, message = `line ${number}`): LogLine => {
  return { line: number, at, level: "info", message, fields: { page: number } };
};

describe("the log of a run", () => {
  test("is read by attempt, in the order of its lines, after any of them", async () => {
    await using it = await openStore();
    await it.runs.keepLines({ id: 7, attempt: 2 }, [line(1)]);
    await it.runs.keepLines({ id: 7, attempt: 1 }, [line(2), line(1), line(10)]);
    await it.runs.keepLines({ id: 8, attempt: 1 }, [line(1)]);
    const ids = async (options: Partial<Parameters<typeof it.logs.read>[1]>) =>
      (await it.logs.read(7, { limit: 100, ...options })).map(({ id }) => id);
    expect(await ids({})).toEqual(["1.1", "1.2", "1.10", "2.1"]);
    expect(await ids({ limit: 2 })).toEqual(["1.1", "1.2"]);
    expect(await ids({ attempt: 2 })).toEqual(["2.1"]);
    const after = parseLogId("1.2");
    expect(await ids(after ? { after } : {})).toEqual(["1.10", "2.1"]);
    expect((await it.logs.read(7, { attempt: 2, limit: 1 }))[0]).toEqual({
      ...{ id: "2.1", run: 7, attempt: 2 },
      ...line(1),
    });
  });

  test("keeps a line that is sent twice once", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    await it.runs.keepLines(run, [line(1), line(2)]);
    await it.runs.keepLines(run, [line(2, "again"), line(3)]);
    await it.runs.finish(run, { outcome: "success" }, [line(3, "again"), line(4)]);
    const messages = (await it.logs.read(run.id, { limit: 9 })).map(({ message }) => message);
    expect(messages).toEqual(["line 1", "line 2", "line 3", "line 4"]);
  });

  test("takes any text", async () => {
    await using it = await openStore();
    const run = await claimed(it);
    const text = "a\0b \ud83d '); drop table run_logs; -- 😀 \\u0000";
    await it.runs.keepLines(run, [{ ...line(1, text), fields: { text, none: null, yes: true } }]);
    const stored = "a\\0b \ufffd '); drop table run_logs; -- 😀 \\u0000";
    expect((await it.logs.read(run.id, { limit: 1 }))[0]).toMatchObject({
      ...{ message: stored, fields: { text: stored, none: null, yes: true } },
    });
  });

  test("gets no last line of a worker that no longer holds the run", async () => {
    await using it = await openStore();
    const run = await claimed(it, "old");
    await silenced(it, run.id);
    await it.runs.claim("new");
    await it.runs.finish(run, { outcome: "success" }, [line(1)]);
    expect(await it.logs.read(run.id, { limit: 9 })).toEqual([]);
  });

  test("tells who waits for it", async () => {
    await using it = await openStore();
    const waited = it.logs.wait(never);
    await it.runs.keepLines({ id: 1, attempt: 1 }, [line(1)]);
    await waited;
  });
});

describe("the attempts of a run", () => {
  test("tell who worked when, what became of it, and how many pages it kept", async () => {
    await using it = await openStore();
    const { id } = await it.runs.create(manual);
    const take = async (worker: string) => {
      const run = await it.runs.claim(worker, id);
      if (!run) throw new Error("nothing to claim");
      return run;
    };
    const first = await take("a");
    await it.runs.commitPage(first, judgedPage(apiUsers(2)));
    const again = { afterMs: 0, failures: 1 };
    await it.runs.finish(first, { outcome: "failed", errorChain: ["500", "reset"], again });
    await take("b");
    await silenced(it, id);
    const third = await take("c");
    await it.runs.finish(third, { outcome: "released" });
    const fourth = await take("d");
    await it.runs.commitPage(fourth, judgedPage(apiUsers(2), 2));
    const common = { run: id, error: null, errorChain: [], finishedAt: expect.any(String) };
    const before = await it.logs.attempts(id);
    expect(before).toMatchObject([
      {
        ...{ ...common, attempt: 1, worker: "a", outcome: "failed", pages: 1 },
        ...{ error: "500: reset", errorChain: ["500", "reset"] },
      },
      { ...common, attempt: 2, worker: "b", outcome: "lost", pages: 0 },
      { ...common, attempt: 3, worker: "c", outcome: "released", pages: 0 },
      { ...common, attempt: 4, worker: "d", outcome: "running", pages: 1, finishedAt: null },
    ]);
    expect(before.every(({ seconds }) => seconds >= 0)).toBe(true);
    await it.runs.finish(fourth, { outcome: "success" });
    expect((await it.logs.attempts(id))[3]).toMatchObject({ outcome: "success", pages: 1 });
    expect(await it.logs.attempts(42)).toEqual([]);
  });
});
