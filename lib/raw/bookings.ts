import { bookUsers, type Slot } from "../domain/rate-window.ts";
import type { Booked, Bookings } from "../flow/rate-limit.ts";
import { asked, type Sql, transaction } from "./client.ts";

/** What all instances have booked, by PostgreSQL's clock: one after the other for each source. */
export function createBookings(sql: Sql): Bookings {
  return {
    book: (source, users, limit) =>
      asked("book users of the API", () => book(sql, source, { users, limit })),
    giveBack: (source, { slot, users }) =>
      asked("give users of the API back", async () => {
        await sql`
          update rate_bookings set users = users - ${users}
          where source = ${source} and from_ms = ${slot} and users >= ${users}`;
      }),
  };
}

function book(
  sql: Sql,
  source: string,
  { users, limit }: { readonly users: number; readonly limit: number },
): Promise<Booked> {
  return transaction(sql, async (tx) => {
    // One at a time for each source, to the end of the transaction.
    await tx`select pg_advisory_xact_lock(7305216, hashtext(${source}))`;
    const [clock] = await tx<{ now: number }[]>`
      select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`;
    const now = clock?.now ?? 0;
    const slots = [
      ...(await tx<Slot[]>`
        select from_ms as from, at_ms as at, users from rate_bookings
        where source = ${source} order by from_ms`),
    ];
    const { at, slot } = bookUsers(slots, { users, limit, now });
    const oldest = slots[0]?.from ?? 0;
    await tx`delete from rate_bookings where source = ${source} and from_ms < ${oldest}`;
    await tx`
      insert into rate_bookings (source, from_ms, at_ms, users)
      values (${source}, ${slot.from}, ${slot.at}, ${slot.users})
      on conflict (source, from_ms) do update set at_ms = excluded.at_ms, users = excluded.users`;
    return { waitMs: at - now, users, slot: slot.from };
  });
}
