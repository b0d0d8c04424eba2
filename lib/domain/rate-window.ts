/** The API counts users per address and five minutes. */
export const windowMs = 5 * 60_000;

/** Users that were booked together: when the first of them and when the last of them may be asked for. */
export interface Slot {
  readonly from: number;
  at: number;
  users: number;
}

/** Bookings this close together share a slot, which keeps the number of slots small. */
const slotMs = 1000;

/**
 * Books users at the earliest time, not before earlier bookings, at which no window that ends there
 * holds more than `limit`: into one of the slots given, which are in the order of their times, or
 * into a new one at their end. Slots that no window reaches any more are taken out. All times are
 * milliseconds of one clock. There are at most a slot for each second of the window and one for each
 * booking in the future. No call may ask for more users than `limit`.
 */
export function bookUsers(
  slots: Slot[],
  { users, limit, now }: { readonly users: number; readonly limit: number; readonly now: number },
): { readonly at: number; readonly slot: Slot } {
  const gone = slots.findIndex((slot) => slot.at > now - windowMs);
  slots.splice(0, gone === -1 ? slots.length : gone);
  const at = earliest(slots, { users, limit, now });
  const last = slots.at(-1);
  const slot = last && at - last.from < slotMs ? last : { from: at, at, users: 0 };
  if (slot !== last) slots.push(slot);
  // The slot counts from its newest booking: its older ones are held a little longer, never
  // shorter.
  slot.at = at;
  slot.users += users;
  return { at, slot };
}

function earliest(
  slots: readonly Slot[],
  { users, limit, now }: { users: number; limit: number; now: number },
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
