import { bookUsers, type Slot } from "../../lib/domain/rate-window.ts";
import type { Bookings } from "../../lib/flow/rate-limit.ts";

/** Bookings by a clock that is given. */
export function createFakeBookings(now: () => number): Bookings {
  const slots = new Map<string, Slot[]>();
  const of = (source: string) => {
    const found = slots.get(source) ?? [];
    slots.set(source, found);
    return found;
  };
  return {
    book: async (source, users, limit) => {
      const { at, slot } = bookUsers(of(source), { users, limit, now: now() });
      return { waitMs: at - now(), users, slot: slot.from };
    },
    giveBack: async (source, { slot, users }) => {
      const found = of(source).find(({ from }) => from === slot);
      if (found && found.users >= users) found.users -= users;
    },
  };
}
