import type { Pipeline, RawStanding, TableStanding, TopicStanding } from "../domain/pipeline.ts";
import { sleep } from "../sleep.ts";

/** What is asked of PostgreSQL. */
export interface RawFigures {
  readonly runs: Pipeline["runs"];
  readonly raw: RawStanding;
  /** Rows ever received: only grows. */
  readonly received: number;
}

/** What is asked of Kafka. */
export interface TopicFigures {
  readonly topic: TopicStanding;
  readonly table: TableStanding;
  /** Records ever written to the topic: only grows, as long as it is the same topic. */
  readonly written: number;
}

export interface WatchedPipeline {
  readonly raw: { figures(): Promise<RawFigures> };
  /** May wait for Kafka for as long as it is down. */
  readonly topic: { figures(): Promise<TopicFigures> };
  readonly now: () => Date;
}

/** How long an answer is good for: however many ask, the servers are asked once in this time. */
const freshMs = 1000;
/** What Kafka has to answer; later it counts as not there. */
const kafkaMs = 3000;
/** Rates are those of so long. */
const windowMs = 15_000;
/** One for each second of it, and a few more. */
const maxSamples = 20;

interface Sample {
  readonly ms: number;
  readonly received: number;
  readonly written: number | undefined;
  readonly consumed: number | undefined;
}

/** Asks the stations how they stand, when somebody wants to know. Rejects as PostgreSQL does. */
export function watchPipeline({ raw, topic, now }: WatchedPipeline): { now(): Promise<Pipeline> } {
  const samples: Sample[] = [];
  let asking: { readonly ms: number; readonly answer: Promise<Pipeline> } | undefined;
  let ofTopic: Promise<TopicFigures> | undefined;

  /** One question at a time: one that is not answered yet is not asked again. */
  async function topicFigures(): Promise<TopicFigures | undefined> {
    ofTopic ??= topic.figures().finally(() => {
      ofTopic = undefined;
    });
    const done = new AbortController();
    const late = sleep(kafkaMs, done.signal).catch(() => {});
    try {
      return (await Promise.race([ofTopic.catch(() => undefined), late])) ?? undefined;
    } finally {
      done.abort();
    }
  }

  async function ask(): Promise<Pipeline> {
    const [figures, kafka] = await Promise.all([raw.figures(), topicFigures()]);
    const at = now();
    const ms = at.getTime();
    const { written, table } = kafka ?? {};
    samples.push({ ms, received: figures.received, written, consumed: table?.consumed });
    while (samples.length > maxSamples || (samples[0]?.ms ?? ms) < ms - windowMs) samples.shift();
    return {
      at: at.toISOString(),
      runs: figures.runs,
      raw: { ...figures.raw, rowsPerSecond: rate(samples, "received") },
      topic: kafka ? { ...kafka.topic, recordsPerSecond: rate(samples, "written") } : null,
      table: kafka ? { ...kafka.table, recordsPerSecond: rate(samples, "consumed") } : null,
    };
  }

  return {
    now: () => {
      const ms = now().getTime();
      if (asking && ms - asking.ms < freshMs) return asking.answer;
      asking = { ms, answer: ask() };
      return asking.answer;
    },
  };
}

/** From the first of the samples to the last one; what shrinks was made anew, and counts as none. */
function rate(
  samples: readonly Sample[],
  what: "received" | "written" | "consumed",
): number | null {
  const known = samples.filter((sample) => sample[what] !== undefined);
  const [first, last] = [known[0], known.at(-1)];
  const seconds = ((last?.ms ?? 0) - (first?.ms ?? 0)) / 1000;
  if (seconds <= 0) return null;
  const more = (last?.[what] ?? 0) - (first?.[what] ?? 0);
  return Math.max(0, Math.round((more / seconds) * 10) / 10);
}
