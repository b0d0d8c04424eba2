import { afterEach, describe, expect, jest, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import { performRun, performRuns } from "../../../lib/flow/perform-runs.ts";
import type { Source } from "../../../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSource } from "../../fakes/source.ts";
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
    await performRun(run, runs, createFakeSource(), { log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({ state: "success", fetched: 5, error: null });
  });

  test("fails with the reason and its cause when the API refuses", async () => {
    const { runs, run } = await claimed();
    const cause = new Error("connection reset");
    const source = createFakeSource(new PipelineError("refused", "the API says 403", { cause }));
    await performRun(run, runs, source, { log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({
      state: "failed",
      error: "the API says 403: connection reset",
    });
  });

  test("fails after five attempts when the API stays ill", async () => {
    const { runs, run } = await claimed();
    const ill = () => new PipelineError("unavailable", "500", { retryAfterMs: 0 });
    const source = createFakeSource(...Array.from({ length: 9 }, ill));
    await performRun(run, runs, source, { log, signal: never });
    expect(source.asked).toHaveLength(5);
    expect(await runs.get(run.id)).toMatchObject({ state: "failed", error: "500" });
  });

  test("goes back to the queue when it is stopped", async () => {
    const { runs, run, state } = await claimed();
    const { source, asked } = hanging();
    const stop = new AbortController();
    const work = failureOf(performRun(run, runs, source, { log, signal: stop.signal }));
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
    const work = failureOf(performRun(run, down, source, { log, signal: stop.signal }));
    await asked;
    stop.abort(stopped());
    expect((await work).message).toBe("stopped");
    expect(await state()).toBe("running");
  });

  test("is left alone when another worker has taken it over", async () => {
    const { runs, run } = await claimed();
    runs.silence(run.id);
    await runs.claim("other");
    await performRun(run, runs, createFakeSource(), { log, signal: never });
    expect(await runs.get(run.id)).toMatchObject({ state: "running", attempt: 2, fetched: 0 });
  });

  test("ends failed by a bug, which is thrown on", async () => {
    const { runs, run, state } = await claimed();
    const bug = new TypeError("a bug");
    const source: Source = { fetch: () => Promise.reject(bug) };
    expect(await failureOf(performRun(run, runs, source, { log, signal: never }))).toBe(bug);
    expect(await state()).toBe("failed");
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
    const work = failureOf(performRun(run, counting, source, { log, signal: stop.signal }));
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
    const work = performRun(run, runs, source, { log, signal: never });
    await asked;
    runs.silence(run.id);
    await runs.claim("other");
    jest.advanceTimersByTime(10_000);
    await work;
    expect(await runs.get(run.id)).toMatchObject({ state: "running", attempt: 2 });
  });
});

describe("a worker", () => {
  test("performs run after run, those that come later too, until the signal aborts", async () => {
    const runs = createFakeRuns();
    const stop = new AbortController();
    await runs.create(manual);
    await runs.create(manual);
    const source = createFakeSource(new PipelineError("refused", "no"));
    const work = failureOf(performRuns(runs, source, { worker: "me", log, signal: stop.signal }));
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
    const options = { worker: "me", log, signal: stop.signal };
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
