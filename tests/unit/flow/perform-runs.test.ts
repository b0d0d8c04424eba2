import { afterEach, describe, expect, jest, test } from "bun:test";
import { pageUsers } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { type EndedAttempt, performRun, performRuns } from "../../../lib/flow/perform-runs.ts";
import type { PageResult, Source } from "../../../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSource } from "../../fakes/source.ts";
import { policy } from "../../performing.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

const manual = { trigger: "manual", results: 5, nat: [] } as const;
const stopped = () => new DOMException("stopped", "AbortError");

async function claimed(worker = "me") {
  const runs = createFakeRuns();
  const { id } = await runs.create(manual);
  const run = await runs.claim(worker);
  if (!run) throw new Error("no run");
  return { runs, run, state: async () => (await runs.get(id))?.state };
}

/** Says when it is asked, and never answers. */
function hanging() {
  const asked = Promise.withResolvers<void>();
  const source: Source = {
    fetch: (_, signal) => {
      asked.resolve();
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  };
  return { source, asked: asked.promise };
}

describe("a run", () => {
  test("succeeds when all its pages are kept", async () => {
    const { runs, run } = await claimed();
    await performRun(run, runs, createFakeSource(), { policy, log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({ state: "success", fetched: 5, error: null });
  });

  test("fails with the reason and its cause when the API refuses", async () => {
    const { runs, run } = await claimed();
    const cause = new Error("connection reset");
    const source = createFakeSource(new PipelineError("refused", "the API says 403", { cause }));
    await performRun(run, runs, source, { policy, log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({
      state: "failed",
      error: "the API says 403: connection reset",
    });
  });

  test("that failed for now waits for its next attempt, and fails after the last one allowed", async () => {
    const { runs, run } = await claimed();
    const cause = new Error("connection reset");
    const ill = () => new PipelineError("unavailable", "500", { cause });
    const source = createFakeSource(...Array.from({ length: 9 }, ill));
    const patient = { ...policy, delayMs: 1000, maxDelayMs: 60_000 };
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt++) {
      runs.due();
      const taken = attempt === 1 ? run : await runs.claim("me");
      if (!taken) throw new Error("not to be had");
      const before = Date.now();
      await performRun(taken, runs, source, { policy: patient, log, signal: never });
      const { state, notBefore, errorChain } = (await runs.get(run.id)) ?? {};
      expect(errorChain).toEqual(["500", "connection reset"]);
      expect(state).toBe(attempt < 5 ? "queued" : "failed");
      if (notBefore) delays.push(Date.parse(notBefore) - before);
    }
    expect(source.asked).toHaveLength(5);
    for (const [n, ms] of delays.entries()) {
      // Up to the bound of this failure, and never below its half; a slow machine adds to it.
      expect(ms).toBeGreaterThanOrEqual(500 * 2 ** n);
    }
    expect(runs.lines.map(({ message }) => message).slice(-2)).toEqual([
      "run started",
      "run failed",
    ]);
  });

  test("that keeps a page in an attempt has all its attempts before it again", async () => {
    const runs = createFakeRuns();
    const { id } = await runs.create({ ...manual, results: pageUsers + 1 });
    const ill = () => new PipelineError("bad_response", "half");
    const source = createFakeSource(ill(), ill());
    const fetch = source.fetch;
    let askedForSecond = 0;
    // The first page comes at the third attempt, the second never.
    const halting: Source = {
      fetch: (...ask) => {
        askedForSecond += ask[0].page - 1;
        return ask[0].page === 2 ? Promise.reject(ill()) : fetch(...ask);
      },
    };
    let attempts = 0;
    for (; (await runs.get(id))?.state !== "failed"; attempts++) {
      runs.due();
      const run = await runs.claim("me");
      if (!run) throw new Error("not to be had");
      const options = { policy: { ...policy, retries: 2 }, log, signal: never };
      await performRun(run, runs, halting, options);
    }
    expect({ attempts, askedForSecond }).toEqual({ attempts: 5, askedForSecond: 3 });
    expect(await runs.get(id)).toMatchObject({ pages: 1, fetched: pageUsers });
  });

  test("comes back when it was asked to, not earlier", async () => {
    const { runs, run } = await claimed();
    const busy = new PipelineError("unavailable", "503", { retryAfterMs: 3_600_000 });
    await performRun(run, runs, createFakeSource(busy), { policy, log, signal: never });
    const { notBefore } = (await runs.get(run.id)) ?? {};
    expect(Date.parse(notBefore ?? "") - Date.now()).toBeGreaterThan(3_000_000);
  });

  test("whose attempt takes too long is tried again", async () => {
    const { runs, run } = await claimed();
    const { source } = hanging();
    const short = { ...policy, timeoutMs: 5 };
    await performRun(run, runs, source, { policy: short, log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({
      ...{ state: "queued", error: "the attempt took longer than 0.005 s" },
    });
  });

  test("that is to be cancelled ends, though the API never answers", async () => {
    const { runs, run } = await claimed();
    const { source, asked } = hanging();
    const work = performRun(run, runs, source, { policy, log, signal: never });
    await asked;
    await runs.cancel(run.id);
    await work;
    expect(await runs.get(run.id)).toMatchObject({ state: "cancelled", error: null });
    expect(runs.lines.map(({ message }) => message)).toEqual(["run started", "run cancelled"]);
  });

  test("that was to be cancelled before another took it over asks for nothing", async () => {
    const runs = createFakeRuns();
    const { id } = await runs.create(manual);
    await runs.claim("old");
    await runs.cancel(id);
    runs.silence(id);
    const run = await runs.claim("new");
    if (!run) throw new Error("not to be had");
    const source = createFakeSource();
    await performRun(run, runs, source, { policy, log, signal: never });
    expect(source.asked).toEqual([]);
    expect((await runs.get(id))?.state).toBe("cancelled");
  });

  test("goes back to the queue when it is stopped", async () => {
    const { runs, run, state } = await claimed();
    const { source, asked } = hanging();
    const stop = new AbortController();
    const work = failureOf(performRun(run, runs, source, { policy, log, signal: stop.signal }));
    await asked;
    stop.abort(stopped());
    expect((await work).message).toBe("stopped");
    expect(await state()).toBe("queued");
  });

  test("is stopped although it cannot be given back: its silence gives it to another", async () => {
    const { runs, run, state } = await claimed();
    const { source, asked } = hanging();
    const stop = new AbortController();
    const down = {
      ...runs,
      finish: () => Promise.reject(new PipelineError("unavailable", "down")),
    };
    const work = failureOf(performRun(run, down, source, { policy, log, signal: stop.signal }));
    await asked;
    stop.abort(stopped());
    expect((await work).message).toBe("stopped");
    expect(await state()).toBe("running");
  });

  test("is left alone when another worker has taken it over", async () => {
    const { runs, run } = await claimed();
    runs.silence(run.id);
    await runs.claim("other");
    await performRun(run, runs, createFakeSource(), { policy, log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({ state: "running", attempt: 2, fetched: 0 });
  });

  test("ends failed by a bug, which is thrown on", async () => {
    const { runs, run, state } = await claimed();
    const bug = new TypeError("a bug");
    const source: Source = { fetch: () => Promise.reject(bug) };
    expect(await failureOf(performRun(run, runs, source, { policy, log, signal: never }))).toBe(
      bug,
    );
    expect(await state()).toBe("failed");
  });
});

describe("an attempt that ends", () => {
  const told = (attempts: EndedAttempt[]) => ({
    policy,
    log,
    onAttempt: (attempt: EndedAttempt) => void attempts.push(attempt),
  });

  test.each<[EndedAttempt["outcome"], readonly PipelineError[]]>([
    ["success", []],
    ["failed", [new PipelineError("refused", "the API says 403")]],
    ["failed", [new PipelineError("unavailable", "500")]],
  ])("as %s is told of, with its pages", async (outcome, failures) => {
    const { runs, run } = await claimed();
    const attempts: EndedAttempt[] = [];
    const pages: PageResult[] = [];
    const onPage = (page: PageResult) => void pages.push(page);
    const options = { ...told(attempts), onPage, signal: never };
    await performRun(run, runs, createFakeSource(...failures), options);
    expect(attempts).toEqual([{ outcome, ms: expect.any(Number) }]);
    expect(pages.map(({ users }) => users)).toEqual(outcome === "success" ? [5] : []);
  });

  test("because it is cancelled, stopped or taken over is told of as that", async () => {
    const attempts: EndedAttempt[] = [];
    const cancelled = await claimed();
    const first = hanging();
    const cancelling = performRun(cancelled.run, cancelled.runs, first.source, {
      ...told(attempts),
      signal: never,
    });
    await first.asked;
    await cancelled.runs.cancel(cancelled.run.id);
    await cancelling;

    const { runs, run } = await claimed();
    const stop = new AbortController();
    const { source, asked } = hanging();
    const options = { ...told(attempts), signal: stop.signal };
    const stopping = failureOf(performRun(run, runs, source, options));
    await asked;
    stop.abort(stopped());
    await stopping;

    const lost = await claimed();
    lost.runs.silence(lost.run.id);
    await lost.runs.claim("other");
    const losing = { ...told(attempts), signal: never };
    await performRun(lost.run, lost.runs, createFakeSource(), losing);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["cancelled", "released", "lost"]);
  });
});

describe("the heart of a run", () => {
  afterEach(() => void jest.useRealTimers());

  test("beats while the API is slow, three times in what silence is allowed", async () => {
    jest.useFakeTimers();
    const { runs, run } = await claimed();
    const { source, asked } = hanging();
    const stop = new AbortController();
    let beats = 0;
    const counting = {
      ...runs,
      heartbeat: async (each: typeof run) => {
        beats += 1;
        return runs.heartbeat(each);
      },
    };
    const work = failureOf(performRun(run, counting, source, { policy, log, signal: stop.signal }));
    await asked;
    for (let second = 0; second < 30; second++) {
      jest.advanceTimersByTime(1000);
      await turns();
    }
    expect(beats).toBe(3);
    stop.abort(stopped());
    await work;
  });

  test("stops the work when it beats for a run that another worker holds", async () => {
    jest.useFakeTimers();
    const { runs, run } = await claimed();
    const { source, asked } = hanging();
    const work = performRun(run, runs, source, { policy, log, signal: never });
    await asked;
    runs.silence(run.id);
    await runs.claim("other");
    jest.advanceTimersByTime(10_000);
    await work;
    expect(await runs.get(run.id)).toMatchObject({ state: "running", attempt: 2 });
  });
});

describe("a worker", () => {
  test("performs so many runs beside each other, and no more", async () => {
    const runs = createFakeRuns();
    for (let n = 0; n < 5; n++) await runs.create(manual);
    const stop = new AbortController();
    const answers: (() => void)[] = [];
    const inner = createFakeSource();
    const source: Source = {
      fetch: async (...ask) => {
        await new Promise<void>((resolve) => answers.push(resolve));
        return inner.fetch(...ask);
      },
    };
    const options = { worker: "me", atOnce: 2, policy, log, signal: stop.signal };
    const work = failureOf(performRuns(runs, source, options));
    const running = async () => {
      const all = await Promise.all([1, 2, 3, 4, 5].map((id) => runs.get(id)));
      return all.flatMap((run) => (run?.state === "running" ? [run.id] : []));
    };
    await until(() => answers.length === 2);
    await turns();
    expect(await running()).toEqual([1, 2]);
    answers[1]?.();
    await until(() => answers.length === 3);
    expect(await running()).toEqual([1, 3]);
    stop.abort(stopped());
    for (const answer of answers) answer();
    expect((await work).message).toBe("stopped");
    expect((await runs.get(1))?.state).not.toBe("running");
  });

  test("that meets a bug gives its other runs back, and ends with it", async () => {
    const runs = createFakeRuns();
    await runs.create(manual);
    await runs.create({ ...manual, seed: "bug-" });
    const bug = new TypeError("a bug");
    const { source, asked } = hanging();
    const faulty: Source = {
      fetch: async (ask, signal) => {
        if (ask.seed !== "bug-") return await source.fetch(ask, signal);
        await asked;
        throw bug;
      },
    };
    const options = { worker: "me", atOnce: 2, policy, log, signal: never };
    expect(await failureOf(performRuns(runs, faulty, options))).toBe(bug);
    expect([(await runs.get(1))?.state, (await runs.get(2))?.state]).toEqual(["queued", "failed"]);
  });

  test("performs run after run, those that come later too, until the signal aborts", async () => {
    const runs = createFakeRuns();
    const stop = new AbortController();
    await runs.create(manual);
    await runs.create(manual);
    const source = createFakeSource(new PipelineError("refused", "no"));
    const work = failureOf(
      performRuns(runs, source, { worker: "me", atOnce: 1, policy, log, signal: stop.signal }),
    );
    await until(async () => (await runs.get(2))?.state === "success");
    await runs.create(manual);
    await until(async () => (await runs.get(3))?.state === "success");
    expect((await runs.get(1))?.state).toBe("failed");
    stop.abort(stopped());
    expect((await work).message).toBe("stopped");
  });

  test("waits for a store that is down", async () => {
    const runs = createFakeRuns();
    await runs.create(manual);
    const stop = new AbortController();
    let failures = 3;
    const ailing = {
      ...runs,
      claim: (worker: string) =>
        failures-- > 0
          ? Promise.reject(new PipelineError("unavailable", "down", { retryAfterMs: 0 }))
          : runs.claim(worker),
    };
    const options = { worker: "me", atOnce: 1, policy, log, signal: stop.signal };
    const work = failureOf(performRuns(ailing, createFakeSource(), options));
    await until(async () => (await runs.get(1))?.state === "success");
    stop.abort(stopped());
    await work;
  });
});

/** Lets promises that are settled go on. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
