import { describe, expect, test } from "bun:test";
import type { LogLine } from "../../../lib/domain/attempt.ts";
import type { ClaimedRun } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { type LineStore, openAttemptLog } from "../../../lib/flow/attempt-log.ts";
import { silentLog } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";

const run: ClaimedRun = {
  ...{ id: 7, attempt: 2, worker: "me", seed: "s-", results: 5, nat: [], pages: 0 },
  ...{ pagesBefore: 0, pageUsers: 10, failures: 0, cancelRequested: false },
  trace: { traceparent: "", tracestate: null },
};
const log = { ...silentLog, conceal: (text: string) => text.replaceAll("hunter2", "[secret]") };
const now = () => new Date("2026-01-31T12:00:00Z");
const stopped = () => new DOMException("stopped", "AbortError");

/** Keeps lines when it is let to. */
function slowStore() {
  const kept: (readonly LogLine[])[] = [];
  let answer: (failure?: Error) => void = () => {};
  const store: LineStore = {
    keepLines: (_, lines) => {
      kept.push(lines);
      return new Promise((resolve, reject) => {
        answer = (failure) => (failure ? reject(failure) : resolve());
      });
    },
  };
  return { kept, store, answer: (failure?: Error) => answer(failure) };
}

const numbers = (lines: readonly LogLine[] = []) => lines.map(({ line }) => line);

describe("the log of an attempt", () => {
  test("is kept by itself, in order, while the work goes on", async () => {
    const { kept, store, answer } = slowStore();
    const notes = openAttemptLog(run, store, { log, now });
    const stop = new AbortController();
    const keeping = failureOf(notes.keep(stop.signal));
    await notes.note("info", { page: 1 }, "page committed");
    await until(() => kept.length === 1);
    // The store has not answered yet.
    await notes.note("warn", { causes: ["500"] }, "later");
    answer();
    await until(() => kept.length === 2);
    answer();
    expect(kept.map(numbers)).toEqual([[1], [2]]);
    expect(kept[0]?.[0]).toEqual({
      ...{ line: 1, at: "2026-01-31T12:00:00.000Z", level: "info" },
      ...{ message: "page committed", fields: { page: 1 } },
    });
    stop.abort(stopped());
    await keeping;
    expect(numbers(notes.last("info", {}, "run succeeded"))).toEqual([3]);
  });

  test("loses no line to a store that fails: it comes again, and those not known to be kept at the end", async () => {
    const { kept, store, answer } = slowStore();
    const notes = openAttemptLog(run, store, { log, now });
    const stop = new AbortController();
    const keeping = failureOf(notes.keep(stop.signal));
    await notes.note("info", {}, "first");
    await until(() => kept.length === 1);
    answer(new PipelineError("timeout", "slow", { retryAfterMs: 0 }));
    await until(() => kept.length === 2);
    await notes.note("info", {}, "second");
    stop.abort(stopped());
    answer(new PipelineError("timeout", "slow"));
    await keeping;
    expect(kept.map(numbers)).toEqual([[1], [1]]);
    expect(numbers(notes.last("error", {}, "run failed"))).toEqual([1, 2, 3]);
  });

  test("holds so many lines and no more: then the work waits for the store, or for the end", async () => {
    const { kept, store, answer } = slowStore();
    const notes = openAttemptLog(run, store, { log, now });
    const stop = new AbortController();
    const keeping = failureOf(notes.keep(stop.signal));
    let noted = 0;
    const work = (async () => {
      for (; noted < 300; noted++) await notes.note("info", {}, "line");
    })();
    await until(() => kept.length === 1);
    expect({ noted, sent: kept[0]?.length }).toEqual({ noted: 200, sent: 200 });
    answer();
    await work;
    const more = (async () => {
      for (; noted < 600; noted++) await notes.note("info", {}, "line");
    })();
    await until(() => kept.length === 2);
    stop.abort(stopped());
    answer();
    await keeping;
    await more;
    expect(noted).toBe(600);
  });

  test("holds no secrets", async () => {
    const { store } = slowStore();
    const notes = openAttemptLog(run, store, { log, now });
    await notes.note("warn", { a: "hunter2", causes: ["is hunter2 right?"], n: 1 }, "hunter2");
    expect(JSON.stringify(notes.last("info", {}, "end"))).not.toContain("hunter2");
  });
});
