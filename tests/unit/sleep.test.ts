import { expect, test } from "bun:test";
import { sleep } from "../../lib/sleep.ts";
import { failureOf } from "../failure.ts";

const reason = new DOMException("stopped", "AbortError");

test("sleep resolves after its time", async () => {
  const started = performance.now();
  await sleep(20, new AbortController().signal);
  expect(performance.now() - started).toBeGreaterThanOrEqual(19);
});

test("sleep rejects with the signal's reason as soon as it aborts", async () => {
  const stop = new AbortController();
  const sleeping = failureOf(sleep(3_600_000, stop.signal));
  stop.abort(reason);
  expect(await sleeping).toBe(reason);
});

test("sleep does not begin when the signal has aborted", async () => {
  expect(await failureOf(sleep(0, AbortSignal.abort(reason)))).toBe(reason);
});
