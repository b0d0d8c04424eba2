import { describe, expect, test } from "bun:test";
import { PipelineError } from "../../lib/errors.ts";
import { type Log, silentLog } from "../../lib/log.ts";
import { backoffMs, retry } from "../../lib/retry.ts";
import { failureOf } from "../failure.ts";
import { never } from "../users.ts";

const down = (message = "down") => new PipelineError("unavailable", message, { retryAfterMs: 0 });

/** Fails with these errors, one a call, then succeeds with the number of calls. */
function ailing(...failures: Error[]) {
  let calls = 0;
  const attempt = async () => {
    calls += 1;
    const failure = failures.shift();
    if (failure) throw failure;
    return calls;
  };
  return { attempt, calls: () => calls };
}

function listening() {
  const lines: string[] = [];
  const line =
    (level: string) =>
    (fields: object, message?: string): void => {
      const { seconds: _, ms: __, ...rest } = fields as Record<string, unknown>;
      lines.push(`${level} ${message} ${JSON.stringify(rest)}`);
    };
  const log = { ...silentLog, info: line("info"), warn: line("warn"), debug: line("debug") } as Log;
  return { log, lines };
}

describe("retry", () => {
  test("gives what the first success gives", async () => {
    const { attempt, calls } = ailing(down(), down());
    expect(await retry(attempt, { what: "it", log: silentLog, signal: never })).toBe(3);
    expect(calls()).toBe(3);
  });

  test.each<[string, Error]>([
    ["refused", new PipelineError("refused", "no")],
    ["fenced", new PipelineError("fenced", "no")],
    ["setup", new PipelineError("setup", "no")],
    ["usage", new PipelineError("usage", "no")],
    ["a bug", new TypeError("a bug")],
  ])("throws what will not pass at once, as it is: %s", async (_, error) => {
    const { attempt, calls } = ailing(error);
    expect(await failureOf(retry(attempt, { what: "it", log: silentLog, signal: never }))).toBe(
      error,
    );
    expect(calls()).toBe(1);
  });

  test("throws the last failure allowed", async () => {
    const last = down("third");
    const { attempt, calls } = ailing(down(), down(), last, down());
    const options = { what: "it", log: silentLog, signal: never, attempts: 3 };
    expect(await failureOf(retry(attempt, options))).toBe(last);
    expect(calls()).toBe(3);
  });

  test("says nothing but in detail where somebody else says it, and is among the waits all the same", async () => {
    const { log, lines } = listening();
    const { attempt } = ailing(down());
    const waits: string[] = [];
    const onWait = async () => void waits.push(...log.waits.now().map(({ what }) => what));
    await retry(attempt, { what: "it", log, signal: never, quiet: true, onWait });
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["debug", "debug"]);
    expect(waits).toEqual(["it"]);
  });

  test("waits as long as it was asked to, else by backoff", async () => {
    const { attempt } = ailing(
      new PipelineError("rate_limited", "no", { retryAfterMs: 30 }),
      new PipelineError("timeout", "no"),
    );
    const started = performance.now();
    const options = { what: "it", log: silentLog, signal: never, baseMs: 1, maxMs: 1 };
    await retry(attempt, options);
    expect(performance.now() - started).toBeGreaterThanOrEqual(29);
  });

  test("tries nothing once the signal has aborted", async () => {
    const { attempt, calls } = ailing();
    const reason = new DOMException("stopped", "AbortError");
    const options = { what: "it", log: silentLog, signal: AbortSignal.abort(reason) };
    expect(await failureOf(retry(attempt, options))).toBe(reason);
    expect(calls()).toBe(0);
  });

  test("stops waiting when the signal aborts, with its reason", async () => {
    const stop = new AbortController();
    const reason = new DOMException("stopped", "AbortError");
    // Said just before the wait begins.
    const warn = () => queueMicrotask(() => stop.abort(reason));
    const log = { ...silentLog, warn } as Log;
    const { attempt } = ailing(new PipelineError("timeout", "no", { retryAfterMs: 3_600_000 }));
    expect(await failureOf(retry(attempt, { what: "it", log, signal: stop.signal }))).toBe(reason);
  });

  test("says the reason of the signal and not the failure that the abort caused", async () => {
    const stop = new AbortController();
    const reason = new DOMException("stopped", "AbortError");
    const attempt = async () => {
      stop.abort(reason);
      throw new PipelineError("refused", "connection closed");
    };
    const options = { what: "it", log: silentLog, signal: stop.signal };
    expect(await failureOf(retry(attempt, options))).toBe(reason);
  });

  test("says once what it waits for, with reason and hint, and once that it is there again", async () => {
    const { log, lines } = listening();
    const cause = new Error("refused the connection");
    const first = new PipelineError("unavailable", "no answer", { cause, retryAfterMs: 0 });
    const { attempt } = ailing(first, down(), down());
    await retry(attempt, { what: "Kafka at k:1", hint: "is it running?", log, signal: never });
    expect(lines.filter((line) => !line.startsWith("debug"))).toEqual([
      'warn waiting {"what":"Kafka at k:1","reason":"no answer: refused the connection","hint":"is it running?"}',
      'info there again {"what":"Kafka at k:1"}',
    ]);
  });

  test("says nothing of what succeeds at once", async () => {
    const { log, lines } = listening();
    await retry(ailing().attempt, { what: "it", log, signal: never });
    expect(lines).toEqual([]);
  });
});

describe("the backoff", () => {
  test("doubles up to its bound", () => {
    const longest = (failures: number) => backoffMs(failures, { random: () => 1 });
    expect([1, 2, 3, 4, 5, 6, 7, 1000].map(longest)).toEqual([
      ...[400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000],
    ]);
  });

  test("is anywhere below its bound, so that a crowd spreads out", () => {
    expect(backoffMs(5, { random: () => 0 })).toBe(0);
    expect(backoffMs(5, { random: () => 0.5 })).toBe(3200);
    const drawn = Array.from({ length: 100 }, () => backoffMs(10));
    expect(new Set(drawn).size).toBeGreaterThan(50);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(10_000);
  });

  test("takes another beginning and bound", () => {
    expect(backoffMs(1, { baseMs: 500, maxMs: 30_000, random: () => 1 })).toBe(1000);
    expect(backoffMs(9, { baseMs: 500, maxMs: 30_000, random: () => 1 })).toBe(30_000);
  });
});
