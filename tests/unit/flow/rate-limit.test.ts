import { describe, expect, test } from "bun:test";
import { windowMs } from "../../../lib/domain/rate-window.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { createRateLimit } from "../../../lib/flow/rate-limit.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { createFakeBookings } from "../../fakes/bookings.ts";
import { never } from "../../users.ts";

const source = (usersPerFiveMinutes: number) => ({ url: "http://api/x", usersPerFiveMinutes });

describe("the rate limit", () => {
  test("waits as long as the window says", async () => {
    const waits: number[] = [];
    let now = 0;
    const wait = async (ms: number) => {
      waits.push(ms);
      now += ms;
    };
    const bookings = createFakeBookings(() => now);
    const limit = createRateLimit(bookings, source(10), { log, wait });
    const beside = createRateLimit(bookings, source(10), { log, wait });
    await limit.take(10, never);
    now = 1000;
    await beside.take(10, never);
    await limit.take(10, never);
    expect(waits).toEqual([windowMs - 1000, windowMs]);
  });

  test("0 never waits, and asks nobody", async () => {
    const book = () => Promise.reject(new Error("asked"));
    const limit = createRateLimit({ book, giveBack: book }, source(0), { log });
    for (let call = 0; call < 100; call++) await limit.take(5000, never);
  });

  test("refuses a call that no window has room for", async () => {
    const limit = createRateLimit(
      createFakeBookings(() => 0),
      source(100),
      { log },
    );
    const error = await failureOf(limit.take(101, never));
    expect(error).toMatchObject({ code: "usage" });
    expect(error.message).toContain("101 users in one call are more than the 100");
  });

  test("ends a wait with the signal's reason, and forgets the users it waited for", async () => {
    let now = 0;
    const waits: number[] = [];
    const stop = new AbortController();
    const reason = new DOMException("stopped", "AbortError");
    const wait = async (ms: number, signal: AbortSignal) => {
      waits.push(ms);
      stop.abort(reason);
      signal.throwIfAborted();
    };
    const limit = createRateLimit(
      createFakeBookings(() => now),
      source(10),
      { log, wait },
    );
    await limit.take(10, never);
    expect(await failureOf(limit.take(10, stop.signal))).toBe(reason);
    now = windowMs;
    // It would have to wait were the users above still booked.
    await limit.take(10, never);
    expect(waits).toEqual([windowMs]);
  });

  test("waits for bookings that cannot be made now, and goes on where none can be given back", async () => {
    let failures = 2;
    const fake = createFakeBookings(() => 0);
    const ailing = {
      book: (...asked: Parameters<typeof fake.book>) =>
        failures-- > 0
          ? Promise.reject(new PipelineError("unavailable", "down", { retryAfterMs: 0 }))
          : fake.book(...asked),
      giveBack: () => Promise.reject(new PipelineError("unavailable", "down")),
    };
    const booking = await createRateLimit(ailing, source(10), { log }).take(10, never);
    await booking.giveBack();
  });
});
