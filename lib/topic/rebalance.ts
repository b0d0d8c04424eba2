import type {
  KafkaConsumer,
  LibrdKafkaError,
  TopicPartition,
} from "@confluentinc/kafka-javascript";
import type { Log } from "../log.ts";
import { sleep } from "../sleep.ts";
import { codes, kafkaCode } from "./kafka.ts";
import type { Offsets, Partition, Start } from "./offsets.ts";

/**
 * Follows the group's rebalances. A partition gained is read from where `startsOf` says. One to be
 * given away is kept until what is being written of it is written and committed, so that its next
 * owner repeats nothing; not for long, for that owner waits.
 */
export interface Rebalances {
  /** The client's callback. */
  follow(error: LibrdKafkaError, partitions: readonly TopicPartition[]): void;
  /** To be called when something is dealt with or committed. */
  progressed(): void;
  /** Fetches nothing until `resume`, of partitions gained meanwhile either. */
  pause(): void;
  resume(): void;
  /** Nothing is waited for from now on. */
  close(): Promise<void>;
}

export interface RebalanceOptions {
  readonly client: () => KafkaConsumer;
  readonly cooperative: boolean;
  readonly offsets: Offsets;
  readonly commit: () => void;
  readonly startsOf: (
    partitions: readonly Partition[],
    signal: AbortSignal,
  ) => Promise<readonly Start[]>;
  readonly log: Log;
}

/** How long partitions to be given away are kept for the sake of work under way. */
const releaseMs = 5000;

export function followRebalances(options: RebalanceOptions): Rebalances {
  const { client, cooperative, offsets, log } = options;
  const closing = new AbortController();
  let leaving:
    | { readonly partitions: readonly Partition[]; readonly settled: () => void }
    | undefined;
  // One after the other: the client waits for the answer to one before it tells of the next.
  let following = Promise.resolve();

  const gain = async (partitions: readonly Partition[]) => {
    const starts = await options.startsOf(partitions, closing.signal).catch((error) => {
      // A client that closes must be answered as well. It takes nothing: none of it is ours.
      if (!closing.signal.aborted) throw error;
      return undefined;
    });
    if (starts) offsets.assigned(starts);
    if (cooperative) client().incrementalAssign([...(starts ?? partitions)]);
    else client().assign([...(starts ?? partitions)]);
    // The client remembers that a partition was paused when it was given away.
    if (offsets.paused) client().pause([...partitions]);
    else client().resume([...partitions]);
  };

  const lose = async (partitions: readonly Partition[]) => {
    log.debug({ partitions: numbersOf(partitions) }, "to be given away");
    // Lost is what another has by now: nothing of it can be committed.
    if (!closing.signal.aborted && !client().assignmentLost()) await release(partitions);
    offsets.revoked(partitions);
    if (cooperative) client().incrementalUnassign([...partitions]);
    else client().unassign();
  };

  const release = async (partitions: readonly Partition[]) => {
    client().pause([...partitions]);
    options.commit();
    const { promise, resolve } = Promise.withResolvers<void>();
    leaving = { partitions, settled: resolve };
    const late = new AbortController();
    const either = AbortSignal.any([closing.signal, late.signal]);
    progressed();
    await Promise.race([promise, sleep(releaseMs, either).catch(() => {})]);
    late.abort();
    leaving = undefined;
  };

  const progressed = () => {
    if (leaving === undefined) return;
    if (offsets.settled(leaving.partitions)) leaving.settled();
    else options.commit();
  };

  return {
    follow: (error, partitions) => {
      const gained = kafkaCode(error) === codes.assign;
      const numbers = numbersOf(partitions);
      following = following
        .then(() => (gained ? gain(partitions) : lose(partitions)))
        .then(
          () => log.info({ partitions: numbers }, gained ? "assigned" : "revoked"),
          // A client that is closing is still told, and takes nothing any more.
          (reason) =>
            log.debug({ partitions: numbers, reason: String(reason) }, "rebalance not followed"),
        );
    },
    progressed,
    pause: () => {
      client().pause(client().assignments());
      offsets.paused = true;
    },
    resume: () => {
      offsets.paused = false;
      const staying = ({ partition }: Partition) =>
        !leaving?.partitions.some((each) => each.partition === partition);
      client().resume(client().assignments().filter(staying));
    },
    close: async () => {
      closing.abort();
      await following;
    },
  };
}

function numbersOf(partitions: readonly Partition[]): readonly number[] {
  return partitions.map(({ partition }) => partition);
}
