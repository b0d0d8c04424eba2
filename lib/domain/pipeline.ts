import type { RunState } from "./run.ts";

/** How every station stands, at one moment. Rates are of the last seconds; null when not known yet. */
export interface Pipeline {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Runs by their state. */
  readonly runs: Readonly<Record<RunState, number>>;
  readonly raw: RawStanding & { readonly rowsPerSecond: number | null };
  /** Null while Kafka does not answer. */
  readonly topic: (TopicStanding & { readonly recordsPerSecond: number | null }) | null;
  /** What the consumer group has committed, and so written to the table. Null as the topic. */
  readonly table: (TableStanding & { readonly recordsPerSecond: number | null }) | null;
}

export interface RawStanding {
  /** Users received by the runs that are kept, of these rejected; those that wait for the topic. */
  readonly rows: number;
  readonly rejected: number;
  readonly pending: number;
  /** How long the first of these has waited. */
  readonly oldestPendingSeconds: number | null;
}

export interface TopicStanding {
  /** Records and dead letters that the topics hold now. */
  readonly records: number;
  readonly deadLetters: number;
}

export interface TableStanding {
  /** Records of the topic that were consumed, and those that are still to be. */
  readonly consumed: number;
  readonly lag: number;
}
