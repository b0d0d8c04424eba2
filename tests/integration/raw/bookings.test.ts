import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { windowMs } from "../../../lib/domain/rate-window.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { rawStores } from "../../raw-store.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

describe("bookings", () => {
  test("of several instances at once are kept to one limit", async () => {
    await using it = await openStore();
    await using other = await openRawStore(it.config, { log, signal: never });
    const asked = Array.from({ length: 20 }, (_, n) => (n % 2 ? it : other).bookings);
    const booked = await Promise.all(asked.map((each) => each.book("api", 10, 100)));
    const waits = booked.map(({ waitMs }) => waitMs);
    expect(waits.filter((ms) => ms <= 0)).toHaveLength(10);
    // The others leave in their turn, when the first ones have left the window.
    expect(waits.filter((ms) => ms > windowMs - 60_000 && ms <= windowMs)).toHaveLength(10);
    expect((await it.bookings.book("another", 100, 100)).waitMs).toBeLessThanOrEqual(0);
  });

  test("that are given back are others' to take, once", async () => {
    await using it = await openStore();
    const booked = await it.bookings.book("api", 60, 100);
    await it.bookings.giveBack("api", booked);
    await it.bookings.giveBack("api", booked);
    expect((await it.bookings.book("api", 100, 100)).waitMs).toBeLessThanOrEqual(0);
    expect((await it.bookings.book("api", 1, 100)).waitMs).toBeGreaterThan(windowMs - 60_000);
  });

  test("are forgotten when no window reaches them", async () => {
    await using it = await openStore();
    await it.bookings.book("api", 100, 100);
    await it.sql`update rate_bookings set from_ms = from_ms - ${windowMs}, at_ms = at_ms - ${windowMs}`;
    expect((await it.bookings.book("api", 100, 100)).waitMs).toBeLessThanOrEqual(0);
    const [left] = await it.sql`select count(*) from rate_bookings`;
    expect(left).toEqual({ count: 1 });
  });
});
