import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bookUsers, type Slot, windowMs } from "../../../lib/domain/rate-window.ts";

function createWindow({ limit }: { readonly limit: number }) {
  const slots: Slot[] = [];
  return {
    slots,
    book: (users: number, now: number) => bookUsers(slots, { users, limit, now }),
  };
}

describe("the window", () => {
  test("gives times at once until the limit is reached, then when the first ones leave it", () => {
    const window = createWindow({ limit: 20_000 });
    const times = [0, 10_000, 20_000, 30_000].map((now) => window.book(5000, now).at);
    expect(times).toEqual([0, 10_000, 20_000, 30_000]);
    expect(window.book(5000, 40_000).at).toBe(windowMs);
    expect(window.book(5000, 50_000).at).toBe(windowMs + 10_000);
  });

  test("never lets more than the limit through in any five minutes, and keeps the order", () => {
    const call = fc.record({ users: fc.integer({ min: 1, max: 50 }), afterMs: fc.nat(40_000) });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const window = createWindow({ limit: 100 });
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

  test("lets the next ones take what is given back", () => {
    const window = createWindow({ limit: 100 });
    const { slot } = window.book(60, 0);
    slot.users -= 60;
    expect(window.book(100, 5000).at).toBe(5000);
    expect(window.book(1, 10_000).at).toBe(5000 + windowMs);
  });

  test("lets a call wait no longer than a second more than it must", () => {
    const window = createWindow({ limit: 2 });
    window.book(1, 0);
    window.book(1, 999);
    expect(window.book(2, 2000).at).toBe(999 + windowMs);
  });

  test("remembers at most a slot for each second, however many calls there are", () => {
    const window = createWindow({ limit: 1_000_000 });
    for (let now = 0; now < 2 * windowMs; now += 10) window.book(1, now);
    expect(window.slots.length).toBeLessThanOrEqual(windowMs / 1000 + 1);
  });
});
