import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createRateLimit, createWindow, windowMs } from "../../../lib/source/rate-limit.ts";
import { failureOf } from "../../failure.ts";
import { never } from "../../users.ts";

describe("the window", () => {
  test("gives times at once until the limit is reached, then when the first ones leave it", () => {
    const window = createWindow({ limit: 20_000, windowMs });
    const times = [0, 10_000, 20_000, 30_000].map((now) => window.book(5000, now).at);
    expect(times).toEqual([0, 10_000, 20_000, 30_000]);
    expect(window.book(5000, 40_000).at).toBe(windowMs);
    expect(window.book(5000, 50_000).at).toBe(windowMs + 10_000);
  });

  test("never lets more than the limit through in any five minutes, and keeps the order", () => {
    const call = fc.record({ users: fc.integer({ min: 1, max: 50 }), afterMs: fc.nat(40_000) });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const window = createWindow({ limit: 100, windowMs });
        let now = 0;
        const booked = calls.map(({ users, afterMs }) => {
          now += afterMs;
          return { users, now, at: window.book(users, now).at };
        });
        for (const [n, { at, now }] of booked.entries()) {
          expect(at).toBeGreaterThanOrEqual(Math.max(now, booked[n - 1]?.at ?? 0));
          const within = booked.filter((other) => other.at <= at && other.at > at - windowMs);
          expect(within.reduce((sum, { users }) => sum + users, 0)).toBeLessThanOrEqual(100);
        }
      }),
    );
  });

  test("lets the next ones take what is given back, once", () => {
    const window = createWindow({ limit: 100, windowMs });
    const first = window.book(60, 0);
    first.giveBack();
    first.giveBack();
    expect(window.book(100, 5000).at).toBe(5000);
    expect(window.book(1, 10_000).at).toBe(5000 + windowMs);
  });

  test("lets a call wait no longer than a second more than it must", () => {
    const window = createWindow({ limit: 2, windowMs });
    window.book(1, 0);
    window.book(1, 999);
    expect(window.book(2, 2000).at).toBe(999 + windowMs);
  });

  test("refuses a call that no window has room for", () => {
    const window = createWindow({ limit: 100, windowMs });
    expect(() => window.book(101, 0)).toThrow("101 users in one call are more than the 100");
  });

  test("remembers at most a slot for each second, however many calls there are", () => {
    const window = createWindow({ limit: 1_000_000, windowMs });
    for (let now = 0; now < 2 * windowMs; now += 10) window.book(1, now);
    expect(window.size).toBeLessThanOrEqual(windowMs / 1000 + 1);
  });
});

describe("the rate limit", () => {
  test("waits as long as the window says", async () => {
    const waits: number[] = [];
    let now = 0;
    const wait = async (ms: number) => {
      waits.push(ms);
      now += ms;
    };
    const limit = createRateLimit(10, { now: () => now, wait });
    await limit.take(10, never);
    now = 1000;
    await limit.take(10, never);
    await limit.take(10, never);
    expect(waits).toEqual([windowMs - 1000, windowMs]);
  });

  test("0 never waits", async () => {
    const wait = () => Promise.reject(new Error("waited"));
    const limit = createRateLimit(0, { now: () => 0, wait });
    for (let call = 0; call < 100; call++) await limit.take(5000, never);
  });

  test("ends a wait with the signal's reason, and forgets the users it waited for", async () => {
    let now = 0;
    const limit = createRateLimit(10, { now: () => now });
    await limit.take(10, never);
    const stop = new AbortController();
    const waiting = limit.take(10, stop.signal);
    stop.abort(new Error("stopped"));
    expect((await failureOf(waiting)).message).toContain("stopped");
    now = windowMs;
    // It would have to wait, and the test with it, were the users above still booked.
    expect((await limit.take(10, never)).at).toBe(windowMs);
  });

  test("books nothing for a signal that has aborted already", async () => {
    const limit = createRateLimit(10, { now: () => 0 });
    expect(
      (await failureOf(limit.take(10, AbortSignal.abort(new Error("gone"))))).message,
    ).toContain("gone");
    expect((await limit.take(10, never)).at).toBe(0);
  });
});
