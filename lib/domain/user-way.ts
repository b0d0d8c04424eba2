import type { RunState, Trigger } from "./run.ts";

/* How far a user has come, each time that it was received. */

/** A user, each time that it was received, and what of it is known elsewhere. */
export interface UserTrace {
  readonly id: string;
  /** How far the newest state of it that was received has come; else where it is known at all. */
  readonly state: WayState | "foreign";
  /** The newest first. */
  readonly received: readonly Way[];
  /** Records of it on the topic, and dead letters, that are of no row here: of another producer. */
  readonly others: readonly TopicRecord[];
  readonly otherLetters: readonly Letter[];
  /** What stands in the table. */
  readonly table: { readonly version: number; readonly writeTime: string } | null;
}

/** One time that it was received, and how far that has come. */
export interface Way extends ReceivedUser {
  readonly state: WayState;
  /** On the topic, as far back as was looked, in order; several where it was sent again. */
  readonly records: readonly TopicRecord[];
  readonly letter: Letter | null;
}

export type WayState =
  /** Refused before the topic, for good. */
  | "rejected"
  /** In the outbox: not acknowledged by the topic. */
  | "waiting"
  /** On the topic, not consumed. */
  | "onTopic"
  /** Could not be written. */
  | "deadLetter"
  /** Was such a letter, which somebody has purged. */
  | "purged"
  /** It stands in the table. */
  | "inTable"
  /** A newer state of the user stands in the table. */
  | "superseded"
  /** Published and consumed, or gone from the topic, and not in the table. */
  | "missing";

/** A row as it was received, with its run. Times are ISO 8601, UTC. */
export interface ReceivedUser {
  readonly raw: number;
  readonly version: number;
  readonly receivedAt: string;
  readonly page: number;
  readonly position: number;
  readonly run: number;
  /** Null where the run is not kept any more. */
  readonly trigger: Trigger | null;
  readonly runState: RunState | null;
  readonly traceId: string | null;
  /** The attempt that kept its page; null where that is not known. */
  readonly attempt: number | null;
  readonly waiting: boolean;
  readonly rejection: {
    readonly stage: string;
    readonly path: string;
    readonly reason: string;
    readonly at: string;
    readonly purged: boolean;
  } | null;
}

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  readonly at: string;
  /** Whether the consumer group has committed it. */
  readonly consumed: boolean;
  /** Whether it is a dead letter that was sent again. */
  readonly replayed: boolean;
  readonly traceId: string | null;
}

export interface Letter {
  /** Its record's first place: "users_created/0/17". */
  readonly id: string;
  readonly state: "open" | "replayed" | "purged";
  /** These are of the letter itself; null where it is not kept any more. */
  readonly at: string | null;
  readonly stage: string | null;
  readonly reason: string | null;
  readonly attempts: number;
}

/** How far a received state of a user has come, from what is known of it at each station. */
export function wayState(
  { version, waiting, rejection }: Pick<ReceivedUser, "version" | "waiting" | "rejection">,
  {
    records,
    letter,
    table,
  }: Pick<Way, "letter"> & {
    readonly records: readonly Pick<TopicRecord, "consumed">[];
    readonly table: Pick<NonNullable<UserTrace["table"]>, "version"> | null;
  },
): WayState {
  if (rejection) return "rejected";
  if (table?.version === version) return "inTable";
  if (waiting) return "waiting";
  if (records.some(({ consumed }) => !consumed)) return "onTopic";
  if (letter?.state === "open") return "deadLetter";
  if (table && table.version > version) return "superseded";
  return letter?.state === "purged" ? "purged" : "missing";
}
