import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import type { Gap, Partition, Start } from "./offsets.ts";
import type { TopicWatch } from "./watch.ts";
import { committedOffsets } from "./watermarks.ts";

/** Where partitions are read from, and what was lost there before it was read. */
export interface Starts {
  /**
   * Where the group has committed, if that was on this topic and not on one deleted since; else the
   * first record kept. Waits for Kafka as long as it is down.
   */
  of(
    client: KafkaConsumer,
    partitions: readonly Partition[],
    signal: AbortSignal,
  ): Promise<readonly Start[]>;
  /** Says later whether records expired there; a marker of a transaction is none. */
  skipped(gap: Gap): void;
  /** Says, once for each topic, that it is not the one it was. */
  madeAgain(topicId: string): void;
}

export interface StartsOptions {
  readonly topic: string;
  readonly watch: TopicWatch;
  readonly log: Log;
  /** Ends all asking. */
  readonly signal: AbortSignal;
  /** Told what the consumers before have said of themselves. */
  readonly heard?: ((said: ConsumerFigures) => void) | undefined;
}

/** Gaps are asked about at most so often. */
const askMs = 1000;
/** As many gaps are kept to be asked about. */
const maxGaps = 1000;

export function createStarts(options: StartsOptions): Starts {
  const { topic, watch, log, signal: closing, heard } = options;
  let saidOf: string | undefined;
  let gaps: Gap[] = [];
  let asking = false;

  const madeAgain = (topicId: string) => {
    if (saidOf === topicId) return;
    saidOf = topicId;
    const hint = "`bun run runs republish` brings kept records back";
    log.warn({ topic, hint }, "the topic was deleted and made again; reading from its start");
  };
  const expired = (partition: number, records: number) => {
    const hint = "`bun run runs republish` brings kept records back";
    log.warn({ topic, partition, records, hint }, "records expired before they were consumed");
  };
  const answerGaps = async () => {
    while (gaps.length > 0) {
      const asked = gaps;
      gaps = [];
      const partitions = [...new Set(asked.map(({ partition }) => partition))];
      const lows = await watch.askLows(partitions);
      for (const [partition, records] of lost(asked, lows)) expired(partition, records);
      await sleep(askMs, closing);
    }
  };

  return {
    of: async (client, partitions, signal) => {
      const ask = () =>
        Promise.all([
          watch.askTopicId(),
          allCommitted(client, partitions),
          watch.askLows(partitions.map(({ partition }) => partition)),
        ]);
      if (partitions.length === 0) return [];
      const what = `the positions in ${topic}`;
      const [topicId, committed, lows] = await retry(ask, { what, log, signal });
      return partitions.map((place) => {
        const low = lows.get(place.partition) ?? 0;
        const known = committed.get(place.partition);
        if (known === undefined) return { ...place, offset: low, topicId };
        if (known.consumer) heard?.(known.consumer);
        // Committed by another program: taken at its word.
        const same = known.topicId === undefined || known.topicId === topicId;
        if (!same) madeAgain(topicId);
        else if (known.offset < low) expired(place.partition, low - known.offset);
        return { ...place, offset: same ? Math.max(low, known.offset) : low, topicId };
      });
    },
    skipped: (gap) => {
      if (gaps.length < maxGaps) gaps.push(gap);
      if (asking) return;
      asking = true;
      answerGaps()
        .catch((error) => log.debug({ reason: String(error) }, "gaps not asked about"))
        .finally(() => {
          asking = false;
        });
    },
    madeAgain,
  };
}

/** How many records of each partition expired in the gaps. */
function lost(gaps: readonly Gap[], lows: ReadonlyMap<number, number>): Map<number, number> {
  const records = new Map<number, number>();
  for (const { partition, from, to } of gaps) {
    const gone = Math.min(to, lows.get(partition) ?? 0) - from;
    if (gone > 0) records.set(partition, (records.get(partition) ?? 0) + gone);
  }
  return records;
}

/** What the group has committed, and of which topic, by partition. */
async function allCommitted(client: KafkaConsumer, partitions: readonly Partition[]) {
  const asked = partitions.map(({ topic, partition }) => ({ topic, partition }));
  const known = await committedOffsets(client, asked);
  return new Map(
    known
      .filter(({ offset }) => offset >= 0)
      .map(({ partition, ...commit }) => [partition, commit]),
  );
}
