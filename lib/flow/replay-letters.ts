import type { Event } from "../domain/event.ts";
import { replayable, replayRecord } from "../domain/letter.ts";
import { parseApiUser } from "../domain/user.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import {
  type FoundLetter,
  findLetters,
  type LetterIndex,
  type LetterOptions,
  type LetterStations,
  type StoredLetter,
} from "./letters.ts";
import { type Outbox, type Refused, relayOnce } from "./raw-to-topic.ts";

/** What letters are replayed to. */
export interface ReplayStations extends LetterStations {
  readonly outbox: Outbox & { waiting(): Promise<number> };
  readonly users: {
    /** The topic that dead letters come from. */
    readonly name: string;
    /** Resolves when the broker has acknowledged all but those it names, which it refuses. */
    send(records: readonly (Event | ReplayRecord)[]): Promise<readonly Refused[]>;
  };
}
export type ReplayRecord = ReturnType<typeof replayRecord>;

export interface SettleOptions extends Omit<LetterOptions, "state"> {
  /** Changes nothing, and tells what would be done. */
  readonly dryRun: boolean;
  readonly log: Log;
  /** Told the letters that are meant, before anything is done to them. */
  readonly onLetters?: (letters: readonly FoundLetter[]) => Promise<void>;
}

export interface Replayed {
  /** How many letters were meant. */
  readonly letters: number;
  /** On their way again: dead letters on the topic, rejected rows accepted. */
  readonly replayed: number;
  /** Rejected rows that are no users now either. */
  readonly refused: number;
  /** Dead letters that cannot be replayed, and stay what they are. */
  readonly kept: number;
}

/**
 * Sends open letters on their way again. The record of a dead letter goes to the topic as it was,
 * and is settled when the broker has it: a crash between the two sends it twice, which changes
 * nothing. A rejected row is judged again, and goes by the outbox.
 */
export async function replayLetters(
  stations: ReplayStations,
  options: SettleOptions,
): Promise<Replayed> {
  const { dryRun, log, signal, onLetters } = options;
  const done = { letters: 0, replayed: 0, refused: 0, kept: 0 };
  let accepted = 0;
  for await (const page of findLetters(stations, { ...options, state: "open" })) {
    done.letters += page.length;
    await onLetters?.(page);
    const kept = await resend(page, stations, options);
    for (const { id, reason } of kept) log.warn({ letter: id, reason }, "cannot be replayed");
    done.kept += kept.length;
    done.replayed += page.filter(({ stored }) => stored).length - kept.length;
    const raws = rawsOf(page);
    if (raws.length === 0) continue;
    const judged = await retry(
      () => stations.rejected.replay(raws, parseApiUser, { dryRun }),
      waiting("PostgreSQL", { log, signal }),
    );
    accepted += judged.accepted;
    done.refused += judged.refused;
  }
  if (accepted > 0 && !dryRun) await relay(stations, { log, signal });
  return { ...done, replayed: done.replayed + accepted };
}

export interface Purged {
  readonly letters: number;
  readonly purged: number;
}

/**
 * Has open letters listed no longer: that is remembered first. Then what lies before the first
 * letter still open is deleted from each partition of the dead-letter topic.
 */
export async function purgeLetters(
  { topic, index, rejected }: LetterStations,
  options: SettleOptions,
): Promise<Purged> {
  const { dryRun, log, signal, onLetters } = options;
  // Only of what is indexed it is known whether it is open: more may be read than that.
  const ends = new Map<number, number>();
  const watched: LetterIndex = {
    ...index,
    add: async (letters) => {
      for (const { atPartition, atOffset } of letters) {
        ends.set(atPartition, Math.max(atOffset + 1, ends.get(atPartition) ?? 0));
      }
      await index.add(letters);
    },
  };
  const done = { letters: 0, purged: 0 };
  const stations = { topic, index: watched, rejected };
  for await (const page of findLetters(stations, { ...options, state: "open" })) {
    done.letters += page.length;
    await onLetters?.(page);
    const origins = page.flatMap(({ stored }) => stored?.origin ?? []);
    const raws = rawsOf(page);
    if (dryRun) {
      done.purged += page.length;
      continue;
    }
    const postgres = waiting("PostgreSQL", { log, signal });
    if (origins.length > 0) await retry(() => index.settle(origins, "purged"), postgres);
    const rows = raws.length > 0 ? await retry(() => rejected.purge(raws), postgres) : 0;
    done.purged += origins.length + rows;
  }
  if (dryRun || ends.size === 0) return done;
  const open = await index.firstOpen();
  const before = new Map(
    [...ends].map(([partition, end]) => [partition, open.get(partition) ?? end]),
  );
  await retry(() => topic.deleteBefore(before), waiting("Kafka", { log, signal }));
  return done;
}

/** Resolves to the letters of the topic that cannot be sent, and why. */
async function resend(
  page: readonly FoundLetter[],
  { users, index }: ReplayStations,
  { dryRun, log, signal }: SettleOptions,
): Promise<readonly { readonly id: string; readonly reason: string }[]> {
  const kept: { id: string; reason: string }[] = [];
  const sendable = page.flatMap(({ info, stored }) => {
    const reason = stored && obstacle(stored, users.name);
    if (stored && reason === undefined) return [{ id: info.id, stored }];
    if (reason !== undefined) kept.push({ id: info.id, reason });
    return [];
  });
  if (sendable.length === 0 || dryRun) return kept;
  const refused = await retry(
    () =>
      users.send(
        sendable.map(({ stored: { record, origin } }) =>
          replayRecord({ record, attempts: origin.attempts }),
        ),
      ),
    waiting(`the topic ${users.name}`, { log, signal }),
  );
  const reasons = new Map(refused.map(({ index, rejection }) => [index, rejection.reason]));
  const sent = sendable.filter((_, at) => !reasons.has(at)).map(({ stored }) => stored.origin);
  if (sent.length > 0) {
    await retry(() => index.settle(sent, "replayed"), waiting("PostgreSQL", { log, signal }));
  }
  for (const [at, { id }] of sendable.entries()) {
    const reason = reasons.get(at);
    if (reason !== undefined) kept.push({ id, reason });
  }
  return kept;
}

/** Why a letter cannot be replayed; undefined where it can. */
function obstacle({ leftOutBytes, record }: StoredLetter, topic: string): string | undefined {
  if (leftOutBytes !== null) return `its value of ${leftOutBytes} bytes was too large to be kept`;
  return replayable(record, topic)
    ? undefined
    : `it is a record of ${record.topic}, not of ${topic}`;
}

/** Publishes what waits now, beside whatever relay is running: it may be that none is. */
async function relay(
  { outbox, users }: ReplayStations,
  { log, signal }: Pick<SettleOptions, "log" | "signal">,
): Promise<void> {
  const publisher = { publish: (events: readonly Event[]) => users.send(events) };
  const options = waiting("the relay from PostgreSQL to Kafka", { log, signal });
  let left = await retry(() => outbox.waiting(), options);
  while (left > 0) {
    const rows = await retry(() => relayOnce(outbox, publisher, batchRows), options);
    if (rows === 0) return;
    left -= rows;
  }
}

const batchRows = 1000;

function rawsOf(page: readonly FoundLetter[]): number[] {
  return page.flatMap(({ info }) => (info.where === "raw" && info.raw !== null ? [info.raw] : []));
}

function waiting(what: string, { log, signal }: Pick<SettleOptions, "log" | "signal">) {
  return { what, log, signal };
}
