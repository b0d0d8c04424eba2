import type { ReceivedRecord } from "../domain/event.ts";

export interface Partition {
  readonly topic: string;
  readonly partition: number;
}
export interface Offset extends Partition {
  /** The next one to read. */
  readonly offset: number;
}
/** An offset, and in `metadata` the id of the topic it belongs to. */
export interface CommitOffset extends Offset {
  readonly metadata: string;
}
/** Where a partition is read from, of a topic that may be made again under the same name. */
export interface Start extends Offset {
  readonly topicId: string;
}
/** Offsets that were not there to be read: from `from` to just before `to`. */
export interface Gap {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/**
 * How far the member has come in each partition it owns, and how far of that is committed. Only
 * what is owned is ever committed: a partition that was taken away has another owner, whose
 * progress an old commit would undo.
 */
export interface Offsets {
  /** True while nothing is fetched, so that partitions gained meanwhile are paused as well. */
  paused: boolean;
  assigned(starts: readonly Start[]): void;
  revoked(partitions: readonly Partition[]): void;
  reset(): void;
  /** Where each partition stands after these records, for as long as it stays owned. */
  marks(records: readonly ReceivedRecord[]): readonly Mark[];
  /** The records behind the marks are dealt with, and so are all that were marked before them. */
  done(marks: readonly Mark[]): void;
  /**
   * The end of a partition was seen: nothing is left before `offset`, but perhaps markers of
   * transactions.
   */
  end(partition: number, offset: number): void;
  /** The ends count of the partitions of which all that was handed over is dealt with. */
  reachedEnds(): void;
  uncommitted(): CommitOffset[];
  /** Of one of its partitions, if it has any, what is committed, or where it was begun to be read. */
  standing(): readonly CommitOffset[];
  /** The first record that is not dealt with, of each partition owned. */
  positions(): ReadonlyMap<number, number>;
  committed(offsets: readonly { readonly partition: number; readonly offset: number }[]): void;
  /** Whether all that was handed over of these partitions is dealt with and committed. */
  settled(partitions: readonly Partition[]): boolean;
  /** Whether any partition owned is one of a topic with another id. */
  outdated(topicId: string): boolean;
}

export interface Mark {
  readonly partition: number;
  readonly offset: number;
  readonly owned: Owned;
}
interface Owned {
  readonly topicId: string;
  /** The next one to be handed over. */
  expected: number;
  /** Where it was begun to be read. */
  readonly start: number;
  /** Batches of it that are handed over and not dealt with. */
  busy: number;
  next: number;
  committed: number;
  end: number;
}

/** `onGap` hears of offsets that were skipped: a marker of a transaction, or records expired. */
export function createOffsets(topic: string, onGap: (gap: Gap) => void = () => {}): Offsets {
  const owned = new Map<number, Owned>();
  const advance = (to: Owned, offset: number) => {
    to.next = Math.max(to.next, offset);
  };
  return {
    paused: false,
    assigned: (starts) => {
      for (const { partition, offset, topicId } of starts) {
        owned.set(partition, {
          ...{ topicId, expected: offset, start: offset, busy: 0 },
          ...{ next: -1, committed: -1, end: -1 },
        });
      }
    },
    revoked: (partitions) => {
      for (const { partition } of partitions) owned.delete(partition);
    },
    reset: () => owned.clear(),
    marks: (records) => {
      const marks = new Map<number, { partition: number; offset: number; owned: Owned }>();
      let at: { partition: number; offset: number; owned: Owned } | undefined;
      for (const { partition, offset } of records) {
        if (at?.partition !== partition) {
          at = marks.get(partition);
          const holding = owned.get(partition);
          if (at === undefined && holding) {
            at = { partition, offset: holding.expected, owned: holding };
            marks.set(partition, at);
          }
        }
        if (at === undefined) continue;
        if (offset > at.offset) onGap({ partition, from: at.offset, to: offset });
        at.offset = offset + 1;
      }
      for (const mark of marks.values()) {
        mark.owned.expected = mark.offset;
        mark.owned.busy += 1;
      }
      return [...marks.values()];
    },
    done: (marks) => {
      for (const mark of marks) {
        mark.owned.busy -= 1;
        // Taken away meanwhile, or taken away and given back: not ours to commit any more.
        if (owned.get(mark.partition) === mark.owned) advance(mark.owned, mark.offset);
      }
    },
    end: (partition, offset) => {
      const holding = owned.get(partition);
      if (holding) holding.end = offset;
    },
    reachedEnds: () => {
      for (const holding of owned.values()) {
        if (holding.end >= 0 && holding.busy === 0) advance(holding, holding.end);
      }
    },
    uncommitted: () =>
      [...owned]
        .filter(([, { next, committed }]) => next > committed)
        .map(([partition, { next, topicId }]) => ({
          ...{ topic, partition, offset: next, metadata: topicId },
        })),
    standing: () => {
      const [first] = owned;
      if (first === undefined) return [];
      const [partition, { committed, start, topicId }] = first;
      return [{ topic, partition, offset: Math.max(committed, start), metadata: topicId }];
    },
    positions: () =>
      new Map([...owned].map(([partition, { start, next }]) => [partition, Math.max(start, next)])),
    committed: (offsets) => {
      for (const { partition, offset } of offsets) {
        const holding = owned.get(partition);
        if (holding) holding.committed = Math.max(holding.committed, offset);
      }
    },
    settled: (partitions) =>
      partitions.every(({ partition }) => {
        const holding = owned.get(partition);
        return holding === undefined || (holding.busy === 0 && holding.next <= holding.committed);
      }),
    outdated: (topicId) => [...owned.values()].some((holding) => holding.topicId !== topicId),
  };
}
