import { describe, expect, test } from "bun:test";
import { pageUsers } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { type PageResult, type Source, sourceToRaw } from "../../../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { sleep } from "../../../lib/sleep.ts";
import { failureOf } from "../../failure.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSource } from "../../fakes/source.ts";
import { silentNotes as notes } from "../../performing.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

const passing = () => new PipelineError("unavailable", "for now", { retryAfterMs: 0 });

async function claimed(results: number, { seed = "s-", nat = [] as string[] } = {}) {
  const runs = createFakeRuns();
  await runs.create({ trigger: "manual", results, nat, seed });
  const run = await runs.claim("me");
  if (!run) throw new Error("no run");
  return { runs, run };
}

describe("a run's pages", () => {
  test("are kept one after the other, the next being fetched meanwhile, and no more", async () => {
    const { runs, run } = await claimed(2 * pageUsers + 1, { nat: ["gb"] });
    const order: string[] = [];
    const source: Source = {
      fetch: async ({ page, results, seed, nat }) => {
        order.push(`fetch ${page}: ${results} ${seed} ${nat}`);
        return { payloads: [], users: [] };
      },
    };
    const store = {
      commitPage: async (_: unknown, { page }: { page: number }) => {
        order.push(`keep ${page}`);
        await sleep(5);
        order.push(`kept ${page}`);
      },
    };
    await sourceToRaw(run, source, store, { notes, log, signal: never });
    expect(order).toEqual([
      ...[`fetch 1: ${pageUsers} s- gb`, `fetch 2: ${pageUsers} s- gb`, "keep 1", "kept 1"],
      ...["fetch 3: 1 s- gb", "keep 2", "kept 2", "keep 3", "kept 3"],
    ]);
    expect(runs.pages).toEqual([]);
  });

  test("are told of when they are kept, with what was in them and how long each phase took", async () => {
    const { run } = await claimed(3);
    const told: PageResult[] = [];
    const inner = createFakeSource();
    const source: Source = {
      fetch: async (...ask) => {
        await sleep(40);
        const { users, payloads } = await inner.fetch(...ask);
        return { payloads, users: [...users, "no user"] };
      },
    };
    const store = {
      commitPage: async () => {
        expect(told).toEqual([]);
        await sleep(80);
      },
    };
    const started = performance.now();
    const onPage = (page: PageResult) => void told.push(page);
    await sourceToRaw(run, source, store, { notes, onPage, log, signal: never });
    const all = performance.now() - started;
    expect(told).toMatchObject([{ users: 4, rejected: 1 }]);
    const { fetch = 0, judge = 0, commit = 0 } = told[0]?.ms ?? {};
    // Timers may ring a millisecond early.
    expect(fetch).toBeGreaterThanOrEqual(39);
    expect(commit).toBeGreaterThanOrEqual(79);
    expect(fetch + judge + commit).toBeLessThanOrEqual(all);
  });

  test("go on after the last one that is committed", async () => {
    const { runs, run } = await claimed(pageUsers + 2);
    await sourceToRaw(run, createFakeSource(), runs, { notes, log, signal: never });
    const source = createFakeSource();
    await sourceToRaw({ ...run, pages: 1 }, source, runs, { notes, log, signal: never });
    expect(source.asked.map(({ page, results }) => [page, results])).toEqual([[2, 2]]);
    await sourceToRaw({ ...run, pages: 2 }, source, runs, { notes, log, signal: never });
    expect(source.asked).toHaveLength(1);
  });

  test("are the same users when they are fetched again", async () => {
    const ids = async () => {
      const { runs, run } = await claimed(20);
      await sourceToRaw(run, createFakeSource(), runs, { notes, log, signal: never });
      return runs.pages[0]?.page.users;
    };
    expect(await ids()).toEqual(await ids());
  });

  test("keep who is a user and why the others are none, beside the text as received", async () => {
    const { runs, run } = await claimed(3);
    const [ada] = (
      await createFakeSource().fetch({ seed: "a-", page: 1, results: 1, nat: [] }, never)
    ).users;
    const payloads = ['{"as":"received"}', "null", "1e2"];
    const source: Source = { fetch: async () => ({ payloads, users: [ada, null, 100] }) };
    await sourceToRaw(run, source, runs, { notes, log, signal: never });
    expect(runs.pages[0]?.page).toMatchObject({
      payloads,
      users: [
        { id: expect.any(String) },
        { rejection: { reason: "value: null is not an object" } },
        { rejection: { reason: "value: 100 is not an object" } },
      ],
    });
  });
});

describe("a source that fails", () => {
  test("by asking to come back later is asked again, for the same page, however often", async () => {
    const { runs, run } = await claimed(5);
    const later = () => new PipelineError("rate_limited", "later", { retryAfterMs: 0 });
    const source = createFakeSource(...Array.from({ length: 9 }, later));
    const noted: unknown[] = [];
    const notes = { note: async (...line: readonly unknown[]) => void noted.push(line) };
    await sourceToRaw(run, source, runs, { notes, log, signal: never });
    expect(source.asked.map(({ page, seed }) => `${seed}${page}`)).toEqual(Array(10).fill("s-1"));
    expect(runs.pages).toHaveLength(1);
    expect(noted).toHaveLength(10);
    expect(noted[0]).toEqual([
      "warn",
      { causes: ["later"], afterMs: 0 },
      "asked to come back later",
    ]);
    expect(noted[9]).toEqual(["info", { page: 1, users: 5, rejected: 0 }, "page committed"]);
  });

  test.each(["unavailable", "timeout", "bad_response", "refused"] as const)(
    "in another way, such as %s, is not asked again here",
    async (code) => {
      const { runs, run } = await claimed(5);
      const failure = new PipelineError(code, "500", { retryAfterMs: 0 });
      const source = createFakeSource(failure);
      const work = sourceToRaw(run, source, runs, { notes, log, signal: never });
      expect(await failureOf(work)).toBe(failure);
      expect(source.asked).toHaveLength(1);
      expect(runs.pages).toEqual([]);
    },
  );

  test("ends the run only when the page before is kept", async () => {
    const { runs, run } = await claimed(2 * pageUsers);
    const inner = createFakeSource();
    const failure = new PipelineError("unavailable", "500");
    const source: Source = {
      fetch: (ask, signal) => (ask.page === 2 ? Promise.reject(failure) : inner.fetch(ask, signal)),
    };
    const slow = {
      commitPage: async (...page: Parameters<typeof runs.commitPage>) => {
        await sleep(20);
        await runs.commitPage(...page);
      },
    };
    const work = sourceToRaw(run, source, slow, { notes, log, signal: never });
    expect(await failureOf(work)).toBe(failure);
    expect(runs.pages).toHaveLength(1);
  });

  test("is no longer waited for when the signal aborts", async () => {
    const { runs, run } = await claimed(5);
    const stop = new AbortController();
    const source = createFakeSource(
      new PipelineError("rate_limited", "wait", { retryAfterMs: 3_600_000 }),
    );
    const fetching = failureOf(sourceToRaw(run, source, runs, { notes, log, signal: stop.signal }));
    await until(() => source.asked.length === 1);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await fetching).message).toBe("stopped");
  });
});

describe("a store that fails", () => {
  test("is waited for with the page in hand, however often, without asking for it again", async () => {
    const { runs, run } = await claimed(5);
    const source = createFakeSource();
    let failures = 20;
    const ailing = {
      commitPage: (...page: Parameters<typeof runs.commitPage>) =>
        failures-- > 0 ? Promise.reject(passing()) : runs.commitPage(...page),
    };
    await sourceToRaw(run, source, ailing, { notes, log, signal: never });
    expect(source.asked).toHaveLength(1);
    expect(runs.pages).toHaveLength(1);
  });

  test("is no longer waited for when the signal aborts", async () => {
    const { run } = await claimed(5);
    const stop = new AbortController();
    let calls = 0;
    const down = {
      commitPage: () => {
        calls += 1;
        return Promise.reject(
          new PipelineError("unavailable", "down", { retryAfterMs: 3_600_000 }),
        );
      },
    };
    const keeping = failureOf(
      sourceToRaw(run, createFakeSource(), down, { notes, log, signal: stop.signal }),
    );
    await until(() => calls === 1);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await keeping).message).toBe("stopped");
  });

  test("ends the work of a worker that no longer holds the run", async () => {
    const { runs, run } = await claimed(5);
    runs.silence(run.id);
    await runs.claim("other");
    const error = await failureOf(
      sourceToRaw(run, createFakeSource(), runs, { notes, log, signal: never }),
    );
    expect(error).toMatchObject({ code: "fenced" });
  });

  test("for good gives up the page that is being fetched", async () => {
    const { run } = await claimed(2 * pageUsers);
    const inner = createFakeSource();
    const given: unknown[] = [];
    const source: Source = {
      fetch: async (ask, signal) => {
        if (ask.page === 1) return await inner.fetch(ask, signal);
        await sleep(3_600_000, signal).catch((reason) => given.push(reason));
        throw signal.reason;
      },
    };
    const failure = new PipelineError("fenced", "held by another");
    const store = { commitPage: () => Promise.reject(failure) };
    const work = sourceToRaw(run, source, store, { notes, log, signal: never });
    expect(await failureOf(work)).toBe(failure);
    expect(given).toHaveLength(1);
  });
});
