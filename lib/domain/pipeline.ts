import type { ConsumerFigures } from "./consumer-figures.ts";
import type { RunState } from "./run.ts";

/** How every station stands, at one moment. Rates are of the last seconds; null when not known yet. */
export interface Pipeline {
  /** ISO 8601, UTC, as all times here. */
  readonly at: string;
  readonly stations: Readonly<Record<Station, StationHealth>>;
  /** Where data waits and does not go on; null while it flows, or there is none. */
  readonly stuck: Stuck | null;
  /** Runs by their state. Null while PostgreSQL does not answer. */
  readonly runs: Readonly<Record<RunState, number>> | null;
  /** Null while PostgreSQL does not answer. */
  readonly raw: (RawStanding & { readonly rowsPerSecond: number | null }) | null;
  /** Null while Kafka does not answer. */
  readonly topic: (TopicStanding & { readonly recordsPerSecond: number | null }) | null;
  /** What the consumer group has committed, and so written to the table. Null as the topic. */
  readonly table: (TableStanding & { readonly recordsPerSecond: number | null }) | null;
  /** What the consumers at work say of themselves, with their commits. Null as the topic. */
  readonly consumers: readonly ConsumerFigures[] | null;
}

/** In the order of the data's way. */
export const stations = ["source", "raw", "topic", "table"] as const;
export type Station = (typeof stations)[number];

/** Whether a station answers those who work with it. */
export interface StationHealth {
  /** Null when nobody has asked it yet, or nobody tells. */
  readonly up: boolean | null;
  /** Since when it is so, as far as that was seen. */
  readonly since: string | null;
  readonly lastError: { readonly at: string; readonly message: string } | null;
}

export interface Stuck {
  /** The station that data does not get to, or that gives none. */
  readonly station: Station;
  readonly since: string;
  readonly why: string;
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

/** How far the consumer group has come in a partition of the topic. */
export interface PartitionStanding {
  readonly partition: number;
  /** The offset that the next record on the topic will have. */
  readonly end: number;
  /** The first record that is still to be consumed. */
  readonly next: number;
  readonly lag: number;
}

export interface TableStanding {
  /** Records of the topic that were consumed, and those that are still to be. */
  readonly consumed: number;
  readonly lag: number;
  /** When the newest row was received that consumers have told of; its age then and now. */
  readonly newestRowAt: string | null;
  readonly newestRowAgeSeconds: number | null;
}

/** What tells where data is stuck: the stations, and since when each that has work has done none. */
export interface Flowing extends Pick<Pipeline, "at" | "stations" | "raw" | "table" | "consumers"> {
  readonly idleSince: { readonly topic: Date | null; readonly table: Date | null };
}

/** Work that has not gone on for so long is stuck: longer than any pause while all is well. */
const stuckMs = 10_000;

/**
 * Where data is stuck. Of several places the one nearest to the table, which holds up all behind
 * it.
 */
export function stuckAt(flowing: Flowing): Stuck | null {
  const { at, stations, raw, table, consumers, idleSince } = flowing;
  const idle = (since: Date | null) =>
    since !== null && Date.parse(at) - since.getTime() >= stuckMs ? since.toISOString() : undefined;
  const [topicIdle, tableIdle] = [idle(idleSince.topic), idle(idleSince.table)];
  if (table !== null && table.lag > 0 && tableIdle !== undefined) {
    const { waiting } = consumers?.find(({ waiting }) => waiting !== null) ?? { waiting: null };
    if (waiting) {
      const { what, reason, since } = waiting;
      return { station: "table", since, why: `waiting for ${what}: ${reason}` };
    }
    const why = consumers?.length
      ? "no consumer has committed anything"
      : "no consumer is at work: `bun run consume` starts one";
    return { station: "table", since: tableIdle, why };
  }
  const down = (["topic", "raw"] as const).find((name) => stations[name].up === false);
  if (down) return outage(down, stations[down], at);
  if (raw !== null && raw.pending > 0 && topicIdle !== undefined) {
    return { station: "topic", since: topicIdle, why: "rows wait for the topic, and none goes" };
  }
  return stations.source.up === false ? outage("source", stations.source, at) : null;
}

function outage(station: Station, { since, lastError }: StationHealth, at: string): Stuck {
  return { station, since: since ?? at, why: lastError?.message ?? "it does not answer" };
}
