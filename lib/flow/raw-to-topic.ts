import { type Event, encode, recordOf } from "../domain/event.ts";
import { parseApiUser, type Rejection } from "../domain/user.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";

/** A raw row waiting for the topic. */
export interface OutboxRow {
  readonly raw: number;
  readonly run: number;
  readonly version: number;
  /** The record's key and value where they were made when the user was judged, else null. */
  readonly key?: string | null;
  readonly value?: string | null;
  /** The user as the API sent it, where the record is still to be made of it; else null. */
  readonly payload: unknown;
}

/** A row that can never be published, and why. */
export interface Refused {
  readonly index: number;
  readonly rejection: Rejection;
}

export type Handler = (
  rows: readonly OutboxRow[],
  stillOurs: () => Promise<void>,
) => Promise<readonly Refused[]>;

export interface Outbox {
  /**
   * Hands up to `limit` rows to `handle`, at least once each and to one taker at a time. When it
   * resolves, they are gone for good, those it names as refused among the rejected; when it
   * rejects, they are offered again. Resolves to the number of rows handed over. A taker that was
   * frozen for too long has lost its rows to others: `stillOurs` resolves when it has not.
   */
  take(limit: number, handle: Handler): Promise<number>;
  /**
   * Resolves when there may be new rows: told so, or after a second. Rejects when the signal
   * aborts.
   */
  wait(signal: AbortSignal): Promise<void>;
}

/** The topic, as its producer sees it. */
export interface Publisher {
  /**
   * Resolves when the broker has acknowledged every event but those it names: refused for good,
   * each by itself. Rejects when the outcome of any event is unknown; some may be on the topic
   * nevertheless.
   */
  publish(events: readonly Event[]): Promise<readonly Refused[]>;
}

/**
 * Moves up to `limit` rows. They go out again after a crash before the outbox commits; the sink
 * upserts. A process that was frozen, and whose rows others have published meanwhile, publishes
 * them once more only when it froze between making sure of them and publishing: as harmless.
 */
export function relayOnce(outbox: Outbox, topic: Publisher, limit: number): Promise<number> {
  return outbox.take(limit, async (rows, stillOurs) => {
    const refused: Refused[] = [];
    const events: Event[] = [];
    const indexes: number[] = [];
    for (const [index, row] of rows.entries()) {
      const made = eventOf(row);
      if ("rejection" in made) {
        refused.push({ index, rejection: made.rejection });
      } else {
        events.push(made);
        indexes.push(index);
      }
    }
    await stillOurs();
    for (const { index, rejection } of await topic.publish(events)) {
      refused.push({ index: indexes[index] ?? index, rejection });
    }
    return refused;
  });
}

function eventOf(row: OutboxRow): Event | { readonly rejection: Rejection } {
  const { key, value, version } = row;
  if (key && value) return recordOf({ key, value, version }, row);
  const judged = parseApiUser(row.payload);
  return "user" in judged ? encode({ user: judged.user, version }, row) : judged;
}

export interface RelayOptions {
  /** Rows a transaction holds: bounds memory and how much is repeated after a crash. */
  readonly batchRows?: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Relays until the signal aborts. Whatever is down is waited for, outside of any transaction. */
export async function rawToTopic(
  outbox: Outbox,
  topic: Publisher,
  { batchRows = 2000, log, signal }: RelayOptions,
): Promise<void> {
  while (!signal.aborted) {
    const rows = await retry(() => relayOnce(outbox, topic, batchRows), {
      what: "the relay from PostgreSQL to Kafka",
      log,
      signal,
    });
    if (rows > 0) log.debug({ rows }, "published");
    else await outbox.wait(signal);
  }
}
