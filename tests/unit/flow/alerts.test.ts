import { describe, expect, test } from "bun:test";
import type { DueAlert } from "../../../lib/domain/alert.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { type AlertQueue, sendAlerts } from "../../../lib/flow/alerts.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";

const stopped = () => new DOMException("stopped", "AbortError");

/** So many alerts, the oldest first; one that is put off is due at once. */
function queueOf(count: number) {
  const done: string[] = [];
  const delays: number[] = [];
  let tries = 0;
  const alerts = Array.from({ length: count }, (_, at): DueAlert => {
    return { id: at, uid: `a${at}`, type: "run.failed", timestamp: "", data: {}, tries: 0 };
  });
  const queue: AlertQueue = {
    take: async () => {
      const next = alerts[done.length];
      tries += 1;
      return next && { ...next, tries };
    },
    sent: async ({ uid }) => {
      done.push(uid);
      tries = 0;
    },
    again: async (_, afterMs) => void delays.push(afterMs),
    missed: async () => false,
    wait: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  };
  return { queue, done, delays };
}

describe("alerts", () => {
  test("are sent in their order, each until it is taken", async () => {
    const { queue, done, delays } = queueOf(3);
    const tried: string[] = [];
    let failures = 4;
    const receiver = {
      send: async ({ uid }: { uid: string }) => {
        tried.push(uid);
        if (uid === "a1" && failures-- > 0) throw new PipelineError("unavailable", "500");
      },
    };
    const stop = new AbortController();
    const options = { deadlineMs: 0, log, signal: stop.signal };
    const sending = sendAlerts(queue, receiver, options);
    await until(() => done.length === 3);
    stop.abort(stopped());
    await sending;
    expect(tried).toEqual(["a0", "a1", "a1", "a1", "a1", "a1", "a2"]);
    expect(delays).toHaveLength(4);
    expect(delays.every((ms, n) => ms <= 1000 * 2 ** (n + 1))).toBe(true);
  });

  test("that meet a bug end with it", async () => {
    const { queue } = queueOf(1);
    const bug = new TypeError("a bug");
    const receiver = { send: () => Promise.reject(bug) };
    const options = { deadlineMs: 0, log, signal: new AbortController().signal };
    expect(await failureOf(sendAlerts(queue, receiver, options))).toBe(bug);
  });

  test("of a missed deadline are looked for, with the deadline", async () => {
    const { queue } = queueOf(0);
    const asked: number[] = [];
    const looking = { ...queue, missed: async (ms: number) => asked.push(ms) > 0 };
    const stop = new AbortController();
    const options = { deadlineMs: 5000, log, signal: stop.signal };
    const sending = sendAlerts(looking, { send: async () => {} }, options);
    await until(() => asked.length === 2);
    stop.abort(stopped());
    await sending;
    expect(asked).toEqual([5000, 5000]);
  });
});
