import { PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";

/** Users that were booked; `giveBack` unbooks them when the API surely did not count them. */
export interface Booking {
  /** When they may be asked for, in milliseconds of the window's clock. */
  readonly at: number;
  giveBack(): void;
}

export interface RateLimit {
  /**
   * Resolves when `users` more may be asked for; rejects with the signal's reason when it aborts.
   */
  take(users: number, signal: AbortSignal): Promise<Booking>;
}

export interface RateLimitOptions {
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The API counts users per address and five minutes. */
export const windowMs = 5 * 60_000;

/**
 * Lets at most `limit` users be asked for within any five minutes, in the order of asking; 0 means
 * no limit. What counts is what was asked for, not what came: the API counts before it answers, so
 * a call that failed on the way back has been counted too. Known to this process alone.
 */
export function createRateLimit(
  limit: number,
  { now = () => performance.now(), wait = sleep }: RateLimitOptions = {},
): RateLimit {
  if (limit === 0) return { take: () => Promise.resolve({ at: 0, giveBack() {} }) };
  const window = createWindow({ limit, windowMs });
  return {
    async take(users, signal) {
      signal.throwIfAborted();
      const booking = window.book(users, now());
      const ms = booking.at - now();
      try {
        if (ms > 0) await wait(ms, signal);
      } catch (error) {
        booking.giveBack();
        throw error;
      }
      return booking;
    },
  };
}

interface Slot {
  readonly from: number;
  at: number;
  users: number;
}

/** Bookings this close together share a slot, which keeps the number of slots small. */
const slotMs = 1000;

/**
 * Books users at the earliest time, not before earlier bookings, at which no window that ends there
 * holds more than `limit`. Pure over the times it is given. Memory: one slot per second of the
 * window and one per booking in the future.
 */
export function createWindow({ limit, windowMs }: { limit: number; windowMs: number }) {
  let slots: Slot[] = [];
  return {
    book(users: number, now: number): Booking {
      if (users > limit) {
        throw new PipelineError(
          "usage",
          `${users} users in one call are more than the ${limit} that RATE_LIMIT allows in five minutes: ask for fewer at once or raise it`,
        );
      }
      slots = slots.filter((slot) => slot.at > now - windowMs);
      const at = earliest(slots, { users, limit, windowMs, now });
      const last = slots.at(-1);
      const slot = last && at - last.from < slotMs ? last : { from: at, at, users: 0 };
      if (slot !== last) slots.push(slot);
      // The slot counts from its newest booking: its older ones are held a little longer, never
      // shorter.
      slot.at = at;
      slot.users += users;
      let held = users;
      const giveBack = () => {
        slot.users -= held;
        held = 0;
      };
      return { at, giveBack };
    },
    get size() {
      return slots.length;
    },
  };
}

function earliest(
  slots: readonly Slot[],
  { users, limit, windowMs, now }: { users: number; limit: number; windowMs: number; now: number },
): number {
  let at = Math.max(now, slots.at(-1)?.at ?? now);
  let used = slots.reduce((sum, slot) => sum + slot.users, 0);
  for (const slot of slots) {
    if (slot.at > at - windowMs) {
      if (used + users <= limit) break;
      at = slot.at + windowMs;
    }
    used -= slot.users;
  }
  return at;
}
