import { describe, expect, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import { type Source, sourceToRaw } from "../../../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSource } from "../../fakes/source.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

const passing = (code: "unavailable" | "bad_response" = "unavailable") =>
  new PipelineError(code, "for now", { retryAfterMs: 0 });

async function claimed(results: number, { seed = "s-", nat = [] as string[] } = {}) {
  const runs = createFakeRuns();
  await runs.create({ trigger: "manual", results, nat, seed });
  const run = await runs.claim("me");
  if (!run) throw new Error("no run");
  return { runs, run };
}

describe("a run's pages", () => {
  test("are fetched one after the other, each kept before the next is asked for", async () => {
    const { runs, run } = await claimed(10_001, { nat: ["gb"] });
    const order: string[] = [];
    const source: Source = {
      fetch: async ({ page, results, seed, nat }) => {
        order.push(`fetch ${page}: ${results} ${seed} ${nat}`);
        return { payloads: "[]", users: [] };
      },
    };
    const store = {
      commitPage: async (_: unknown, { page }: { page: number }) => void order.push(`keep ${page}`),
    };
    await sourceToRaw(run, source, store, { log, signal: never });
    expect(order).toEqual([
      ...["fetch 1: 5000 s- gb", "keep 1", "fetch 2: 5000 s- gb", "keep 2"],
      ...["fetch 3: 1 s- gb", "keep 3"],
    ]);
    expect(runs.pages).toEqual([]);
  });

  test("go on after the last one that is committed", async () => {
    const { runs, run } = await claimed(5002);
    await sourceToRaw(run, createFakeSource(), runs, { log, signal: never });
    const source = createFakeSource();
    await sourceToRaw({ ...run, pages: 1 }, source, runs, { log, signal: never });
    expect(source.asked.map(({ page, results }) => [page, results])).toEqual([[2, 2]]);
    await sourceToRaw({ ...run, pages: 2 }, source, runs, { log, signal: never });
    expect(source.asked).toHaveLength(1);
  });

  test("are the same users when they are fetched again", async () => {
    const ids = async () => {
      const { runs, run } = await claimed(20);
      await sourceToRaw(run, createFakeSource(), runs, { log, signal: never });
      return runs.pages[0]?.page.users;
    };
    expect(await ids()).toEqual(await ids());
  });

  test("keep who is a user and why the others are none, beside the text as received", async () => {
    const { runs, run } = await claimed(3);
    const [ada] = (
      await createFakeSource().fetch({ seed: "a-", page: 1, results: 1, nat: [] }, never)
    ).users;
    const payloads = '[ {"as":"received"} ,null, 1e2 ]';
    const source: Source = { fetch: async () => ({ payloads, users: [ada, null, 100] }) };
    await sourceToRaw(run, source, runs, { log, signal: never });
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
  test("is asked again, for the same page", async () => {
    const { runs, run } = await claimed(5);
    const source = createFakeSource(passing(), passing("bad_response"));
    await sourceToRaw(run, source, runs, { log, signal: never });
    expect(source.asked.map(({ page, seed }) => `${seed}${page}`)).toEqual(["s-1", "s-1", "s-1"]);
    expect(runs.pages).toHaveLength(1);
  });

  test("is asked as often as allowed, then its last error ends the run", async () => {
    const { runs, run } = await claimed(5);
    const last = passing("bad_response");
    const source = createFakeSource(passing(), passing(), last, passing());
    expect(
      await failureOf(sourceToRaw(run, source, runs, { log, signal: never, attempts: 3 })),
    ).toBe(last);
    expect(source.asked).toHaveLength(3);
    expect(runs.pages).toEqual([]);
  });

  test("for good is not asked again", async () => {
    const { runs, run } = await claimed(5);
    const refused = new PipelineError("refused", "403");
    const source = createFakeSource(refused);
    expect(await failureOf(sourceToRaw(run, source, runs, { log, signal: never }))).toBe(refused);
    expect(source.asked).toHaveLength(1);
  });

  test("is no longer waited for when the signal aborts", async () => {
    const { runs, run } = await claimed(5);
    const stop = new AbortController();
    const source = createFakeSource(
      new PipelineError("rate_limited", "wait", { retryAfterMs: 3_600_000 }),
    );
    const fetching = failureOf(sourceToRaw(run, source, runs, { log, signal: stop.signal }));
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
    await sourceToRaw(run, source, ailing, { log, signal: never });
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
      sourceToRaw(run, createFakeSource(), down, { log, signal: stop.signal }),
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
      sourceToRaw(run, createFakeSource(), runs, { log, signal: never }),
    );
    expect(error).toMatchObject({ code: "fenced" });
  });
});
