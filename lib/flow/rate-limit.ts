import { PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";

/** Users that were booked; `giveBack` unbooks them when the API surely did not count them. */
export interface Booking {
  giveBack(): Promise<void>;
}

export interface RateLimit {
  /**
   * Resolves when `users` more may be asked for; rejects with the signal's reason when it aborts,
   * with `usage` when no window has room for so many.
   */
  take(users: number, signal: AbortSignal): Promise<Booking>;
}

/** What all who ask the same API have booked. */
export interface Bookings {
  /** Books users of a source at the earliest time: so long to wait from now. */
  book(source: string, users: number, limit: number): Promise<Booked>;
  giveBack(source: string, booked: Booked): Promise<void>;
}

export interface Booked {
  readonly waitMs: number;
  readonly users: number;
  /** Names what was booked. */
  readonly slot: number;
}

export interface RateLimitOptions {
  readonly log: Log;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** For a source that asks for no moderation. */
export const noLimit: RateLimit = { take: async () => ({ giveBack: async () => {} }) };

/**
 * Lets all who share the bookings ask a source for at most so many users within any five minutes, in
 * the order of asking; 0 means no limit. What counts is what was asked for, not what came: the API
 * counts before it answers, so a call that failed on the way back has been counted too. Bookings of
 * a process that died stay: they make others wait longer, never less.
 */
export function createRateLimit(
  bookings: Bookings,
  {
    url,
    usersPerFiveMinutes: limit,
  }: { readonly url: string; readonly usersPerFiveMinutes: number },
  { log, wait = sleep }: RateLimitOptions,
): RateLimit {
  if (limit === 0) return noLimit;
  const source = new URL(url).host;
  return {
    async take(users, signal) {
      if (users > limit) throw new PipelineError("usage", tooMany(users, limit));
      const waiting = { what: "PostgreSQL", log, signal };
      const booked = await retry(() => bookings.book(source, users, limit), waiting);
      const giveBack = () =>
        bookings.giveBack(source, booked).catch((error) => {
          log.debug({ users, reason: String(error) }, "users not given back");
        });
      try {
        signal.throwIfAborted();
        if (booked.waitMs > 0) await wait(booked.waitMs, signal);
      } catch (error) {
        await giveBack();
        throw error;
      }
      return { giveBack };
    },
  };
}

function tooMany(users: number, limit: number): string {
  return `${users} users in one call are more than the ${limit} that RATE_LIMIT allows in five minutes: ask for fewer at once or raise it`;
}
