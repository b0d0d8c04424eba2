import { expect, test } from "bun:test";
import { PipelineError } from "../../lib/errors.ts";
import { silentLog } from "../../lib/log.ts";
import { retry } from "../../lib/retry.ts";
import { createWaits } from "../../lib/waits.ts";
import { failureOf } from "../failure.ts";
import { never } from "../users.ts";

const noon = new Date("2026-01-01T12:00:00Z");

test("a wait lasts from its begin until it is over, with the latest reason", () => {
  const waits = createWaits(() => noon);
  const wait = waits.begin("Kafka", "refused");
  wait.failed("timed out");
  expect(waits.now()).toEqual([{ what: "Kafka", reason: "timed out", since: noon }]);
  wait.over();
  wait.over();
  expect(waits.now()).toEqual([]);
});

test("of two waits for the same thing the older one is told, until both are over", () => {
  const waits = createWaits(() => noon);
  const [first, second] = [waits.begin("Kafka", "first"), waits.begin("Kafka", "second")];
  expect(waits.now().map(({ reason }) => reason)).toEqual(["first"]);
  first.over();
  expect(waits.now().map(({ reason }) => reason)).toEqual(["second"]);
  second.over();
  expect(waits.now()).toEqual([]);
});

test("a retry waits from its first failure until it succeeds, fails for good or is stopped", async () => {
  const waits = createWaits(() => noon);
  const log = { ...silentLog, waits };
  const down = new PipelineError("unavailable", "down", { retryAfterMs: 0 });
  const seen: unknown[] = [];
  const failing = (last: () => Promise<void>) => {
    let calls = 0;
    return () => {
      seen.push(waits.now().map(({ reason }) => reason));
      calls += 1;
      return calls === 1 ? Promise.reject(down) : last();
    };
  };
  const stop = new AbortController();
  await retry(
    failing(async () => {}),
    { what: "it", log, signal: never },
  );
  expect(waits.now()).toEqual([]);
  const bug = () => Promise.reject(new TypeError("a bug"));
  await failureOf(retry(failing(bug), { what: "it", log, signal: never }));
  expect(waits.now()).toEqual([]);
  const stopping = async () => {
    stop.abort();
    throw down;
  };
  await failureOf(retry(failing(stopping), { what: "it", log, signal: stop.signal }));
  expect(waits.now()).toEqual([]);
  expect(seen).toEqual([[], ["down"], [], ["down"], [], ["down"]]);
  // Those alone that were tried again: not the bug, nor what failed once it was stopped.
  expect(waits.failures()).toBe(3);
});
