import type { ReceivedRecord } from "../domain/event.ts";

export interface Partition {
  readonly topic: string;
  readonly partition: number;
}
export interface Offset extends Partition {
  /** The next one to read. */
  readonly offset: number;
}

/**
 * How far the member has come in each partition it owns, and how far of that is committed. Only
 * what is owned is ever committed: a partition that was taken away has another owner, whose
 * progress an old commit would undo.
 */
export interface Offsets {
  /** True while nothing is fetched, so that partitions gained meanwhile are paused as well. */
  paused: boolean;
  assigned(partitions: readonly Partition[]): void;
  revoked(partitions: readonly Partition[]): void;
  reset(): void;
  /** Where each partition stands after these records, for as long as it stays owned. */
  marks(records: readonly ReceivedRecord[]): readonly Mark[];
  /** The records behind the marks are dealt with. */
  done(marks: readonly Mark[]): void;
  /**
   * The end of a partition was seen: nothing is left before `offset`, but perhaps markers of
   * transactions.
   */
  end(partition: number, offset: number): void;
  /** All that was seen so far is dealt with, so the ends count. */
  reachedEnds(): void;
  uncommitted(): Offset[];
  committed(offsets: readonly { readonly partition: number; readonly offset: number }[]): void;
  /**
   * What the broker says is committed: a commit may be refused for some of its partitions, unsaid.
   */
  known(offsets: readonly { readonly partition: number; readonly offset: number }[]): void;
}

interface Mark {
  readonly partition: number;
  readonly offset: number;
  readonly owned: Owned;
}
interface Owned {
  next: number;
  committed: number;
  end: number;
}

export function createOffsets(topic: string): Offsets {
  const owned = new Map<number, Owned>();
  const advance = (to: Owned, offset: number) => {
    to.next = Math.max(to.next, offset);
  };
  return {
    paused: false,
    assigned: (partitions) => {
      for (const { partition } of partitions) {
        owned.set(partition, { next: -1, committed: -1, end: -1 });
      }
    },
    revoked: (partitions) => {
      for (const { partition } of partitions) owned.delete(partition);
    },
    reset: () => owned.clear(),
    marks: (records) => {
      const marks = new Map<number, Mark>();
      for (const { partition, offset } of records) {
        const holding = owned.get(partition);
        if (holding) marks.set(partition, { partition, offset: offset + 1, owned: holding });
      }
      return [...marks.values()];
    },
    done: (marks) => {
      for (const mark of marks) {
        // Taken away meanwhile, or taken away and given back: not ours to commit any more.
        if (owned.get(mark.partition) === mark.owned) advance(mark.owned, mark.offset);
      }
    },
    end: (partition, offset) => {
      const holding = owned.get(partition);
      if (holding) holding.end = offset;
    },
    reachedEnds: () => {
      for (const holding of owned.values()) if (holding.end >= 0) advance(holding, holding.end);
    },
    uncommitted: () =>
      [...owned]
        .filter(([, { next, committed }]) => next > committed)
        .map(([partition, { next }]) => ({ topic, partition, offset: next })),
    committed: (offsets) => {
      for (const { partition, offset } of offsets) {
        const holding = owned.get(partition);
        if (holding) holding.committed = Math.max(holding.committed, offset);
      }
    },
    known: (offsets) => {
      for (const { partition, offset } of offsets) {
        const holding = owned.get(partition);
        if (holding) holding.committed = Math.min(holding.committed, offset);
      }
    },
  };
}
