import { type Event, encode, recordOf } from "../domain/event.ts";
import type { TraceContext } from "../domain/trace-context.ts";
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
  /** That of its run; undefined where the run is gone. */
  readonly trace?: TraceContext | undefined;
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

/** What became of a batch that is published and gone from the outbox. */
export interface RelayResult {
  readonly rows: number;
  /** Of these the refused ones: rejected rows now. */
  readonly refused: number;
  /** How long each phase took, in milliseconds; `wait`: for the batch before it to be published. */
  readonly ms: Readonly<Record<"take" | "encode" | "wait" | "publish" | "commit", number>>;
}

/**
 * Moves up to `limit` rows. They go out again after a crash before the outbox commits; the sink
 * upserts. A process that was frozen, and whose rows others have published meanwhile, publishes
 * them once more only when it froze between making sure of them and publishing: as harmless.
 */
export function relayOnce(outbox: Outbox, topic: Publisher, limit: number): Promise<number> {
  return relayBatch(outbox, topic, {
    limit,
    inTurn: (publish) => publish(),
    onTaken: () => {},
  });
}

interface BatchOptions extends Pick<RelayOptions, "onBatch"> {
  readonly limit: number;
  /** Publishes when it is this batch's turn. */
  readonly inTurn: <T>(publish: () => Promise<T>) => Promise<T>;
  readonly onTaken: (rows: number) => void;
}

async function relayBatch(
  outbox: Outbox,
  topic: Publisher,
  { limit, inTurn, onTaken, onBatch }: BatchOptions,
): Promise<number> {
  const laps = [performance.now()];
  const lap = () => laps.push(performance.now());
  let refusals = 0;
  const taken = await outbox.take(limit, async (rows, stillOurs) => {
    lap();
    onTaken(rows.length);
    const { events, indexes, refused } = eventsOf(rows);
    lap();
    const refusedThere = await inTurn(async () => {
      lap();
      await stillOurs();
      return await topic.publish(events);
    });
    lap();
    for (const { index, rejection } of refusedThere) {
      refused.push({ index: indexes[index] ?? index, rejection });
    }
    refusals = refused.length;
    return refused;
  });
  lap();
  if (taken > 0) onBatch?.({ rows: taken, refused: refusals, ms: phases(laps) });
  return taken;
}

/** From the times between which the phases lie. */
function phases(laps: readonly number[]): RelayResult["ms"] {
  const [take = 0, encode = 0, wait = 0, publish = 0, commit = 0] = laps
    .slice(1)
    .map((at, index) => at - (laps[index] ?? at));
  return { take, encode, wait, publish, commit };
}

/** The records of rows, with the index of each one's row; rows that are none are refused. */
function eventsOf(rows: readonly OutboxRow[]) {
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
  return { events, indexes, refused };
}

/**
 * Moves batches by two takers: while the topic acknowledges one batch, the outbox gives the next and
 * forgets the last. The second begins when there is more than one batch. One batch is published at a
 * time, so what waits for its turn holds its transaction no longer than one delivery; when one fails,
 * the other is given back unpublished. Rejects when both have ended.
 */
async function relayRound(
  outbox: Outbox,
  topic: Publisher,
  { limit, signal, onBatch }: Pick<RelayOptions, "signal" | "onBatch"> & { readonly limit: number },
): Promise<number> {
  let turn: Promise<unknown> = Promise.resolve();
  let ended = false;
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});
  const inTurn = <T>(publish: () => Promise<T>): Promise<T> => {
    // A taker whose connection is lost stands still, and its turn never ends: its failure does.
    const own = Promise.race([turn, failure.promise]).then(publish);
    turn = own;
    return own;
  };
  const take = async (onTaken: (rows: number) => void) => {
    let moved = 0;
    try {
      for (let batch = 0; batch < roundBatches && !ended && !signal.aborted; batch++) {
        const rows = await relayBatch(outbox, topic, { limit, inTurn, onTaken, onBatch });
        moved += rows;
        if (rows < limit) break;
      }
      return moved;
    } catch (error) {
      ended = true;
      failure.reject(error);
      throw error;
    }
  };
  let second: Promise<PromiseSettledResult<number>[]> | undefined;
  const more = (rows: number) => {
    if (rows === limit) second ??= Promise.allSettled([take(() => {})]);
  };
  const results = await Promise.allSettled([take(more)]);
  results.push(...((await second) ?? []));
  let moved = 0;
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
    moved += result.value;
  }
  return moved;
}

/** After so many batches each the takers meet: a second of work, and then a failure counts anew. */
const roundBatches = 16;

function eventOf(row: OutboxRow): Event | { readonly rejection: Rejection } {
  const { key, value, version } = row;
  if (key && value) return recordOf({ key, value, version }, row);
  const judged = parseApiUser(row.payload);
  return "user" in judged ? encode({ user: judged.user, version }, row) : judged;
}

export interface RelayOptions {
  /**
   * Rows a transaction holds, of at most two at once: bounds memory and how much is repeated after a
   * crash.
   */
  readonly batchRows?: number;
  /** Told of each batch when it is gone from the outbox. */
  readonly onBatch?: ((batch: RelayResult) => void) | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Relays until the signal aborts, and rejects with its reason. Whatever is down is waited for, outside of any transaction. */
export async function rawToTopic(
  outbox: Outbox,
  topic: Publisher,
  { batchRows = 2000, onBatch, log, signal }: RelayOptions,
): Promise<void> {
  const options = { limit: batchRows, signal, onBatch };
  for (;;) {
    const rows = await retry(() => relayRound(outbox, topic, options), {
      what: "the relay from PostgreSQL to Kafka",
      log,
      signal,
    });
    if (rows > 0) log.debug({ rows }, "published");
    else await outbox.wait(signal);
  }
}
