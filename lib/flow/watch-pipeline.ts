import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import { type Sample, together } from "../domain/history.ts";
import {
  type Flowing,
  type PartitionStanding,
  type Pipeline,
  type RawStanding,
  type StationHealth,
  stuckAt,
  type TopicStanding,
} from "../domain/pipeline.ts";
import type { Log } from "../log.ts";
import { askedStation } from "./station.ts";

/** What is asked of PostgreSQL. */
export interface RawFigures {
  readonly runs: NonNullable<Pipeline["runs"]>;
  readonly raw: RawStanding;
  /** Rows ever received: only grows. */
  readonly received: number;
  /** How the API answered, as attempts of runs have told. */
  readonly source: StationHealth;
}

/** What is asked of Kafka. */
export interface TopicFigures {
  readonly topic: TopicStanding;
  readonly table: { readonly consumed: number; readonly lag: number };
  readonly partitions: readonly PartitionStanding[];
  /** Records ever written to the topic: only grows, as long as it is the same topic. */
  readonly written: number;
  /** What consumers have said of themselves, the last word of each, however long ago. */
  readonly consumers: readonly ConsumerFigures[];
}

export interface WatchedPipeline {
  readonly raw: { figures(): Promise<RawFigures> };
  /** May wait for Kafka for as long as it is down. */
  readonly topic: { figures(): Promise<TopicFigures> };
  readonly now: () => Date;
  readonly log: Pick<Log, "waits" | "conceal">;
}

export interface PipelineWatch {
  now(): Promise<Pipeline>;
  /** The same as it is kept; undefined while PostgreSQL does not answer. */
  sample(): Promise<Sample | undefined>;
  /** As the last answer found them; null where Kafka gave none. */
  partitions(): readonly PartitionStanding[] | null;
}

/** How long an answer is good for: however many ask, the servers are asked once in this time. */
const freshMs = 1000;

/** Asks the stations how they stand, when somebody wants to know. A server that is down has none. */
export function watchPipeline({ raw, topic, now, log }: WatchedPipeline): PipelineWatch {
  const reason = () => log.waits.now().find(({ reason }) => reason.startsWith("Kafka, "))?.reason;
  const askedRaw = askedStation(() => raw.figures(), { name: "PostgreSQL", now });
  const askedTopic = askedStation(() => topic.figures(), { name: "Kafka", now, reason });
  const rates = createRates();
  const idle = { topic: createIdle(), table: createIdle() };
  const alive = createAlive();
  let source = unknown;
  let partitions: readonly PartitionStanding[] | null = null;
  let asking: { readonly ms: number; readonly answer: Promise<Pipeline> } | undefined;

  async function ask(): Promise<Pipeline> {
    const [figures, kafka] = await Promise.all([askedRaw.now(), askedTopic.now()]);
    const at = now();
    partitions = kafka?.partitions ?? null;
    source = figures?.source ?? source;
    rates.add(at.getTime(), {
      received: figures?.received,
      written: kafka?.written,
      consumed: kafka?.table.consumed,
    });
    const consumers = kafka ? alive.of(kafka.consumers, at) : null;
    const stations = {
      source: concealed(source, log),
      raw: concealed(askedRaw.health(), log),
      topic: concealed(askedTopic.health(), log),
      table: tableHealth(consumers),
    };
    const idleSince = {
      topic: idle.topic.since(at, kafka?.written, figures?.raw.pending),
      table: idle.table.since(at, kafka?.table.consumed, kafka?.table.lag),
    };
    return pipelineOf({ figures, kafka, at, stations, consumers, idleSince, rates });
  }

  const latest = () => {
    const ms = now().getTime();
    // A clock that was set back makes no answer last.
    if (asking && ms >= asking.ms && ms - asking.ms < freshMs) return asking.answer;
    asking = { ms, answer: ask() };
    return asking.answer;
  };
  return {
    now: latest,
    sample: async () => sampleOf(await latest(), rates.counts()),
    partitions: () => partitions,
  };
}

interface Known extends Pick<Pipeline, "stations" | "consumers"> {
  readonly figures: RawFigures | undefined;
  readonly kafka: TopicFigures | undefined;
  readonly at: Date;
  readonly idleSince: Flowing["idleSince"];
  readonly rates: ReturnType<typeof createRates>;
}

function pipelineOf({ figures, kafka, at, idleSince, rates, ...known }: Known): Pipeline {
  const flowing = {
    ...{ ...known, at: at.toISOString() },
    raw: figures ? { ...figures.raw, rowsPerSecond: rates.of("received") } : null,
    table: kafka
      ? { ...kafka.table, recordsPerSecond: rates.of("consumed"), ...newestRow(kafka, at) }
      : null,
  };
  return {
    ...flowing,
    stuck: stuckAt({ ...flowing, idleSince }),
    runs: figures?.runs ?? null,
    topic: kafka ? { ...kafka.topic, recordsPerSecond: rates.of("written") } : null,
  };
}

function sampleOf({ raw, table, consumers }: Pipeline, counts: Counts): Sample | undefined {
  if (raw === null || counts.received === undefined) return undefined;
  const all = consumers ?? [];
  return {
    received: counts.received,
    written: counts.written ?? null,
    consumed: counts.consumed ?? null,
    pending: raw.pending,
    lag: table?.lag ?? null,
    batchRows: together(all.map(({ batchRows }) => batchRows)),
    writeMs: together(all.map(({ writeMs }) => writeMs)),
    endToEndMs: together(all.map(({ endToEndMs }) => endToEndMs)),
  };
}

const unknown: StationHealth = { up: null, since: null, lastError: null };

function concealed(health: StationHealth, { conceal }: Pick<Log, "conceal">): StationHealth {
  const { lastError } = health;
  return lastError
    ? { ...health, lastError: { ...lastError, message: conceal(lastError.message) } }
    : health;
}

/** Consumers alone know: those who look at the table are others. */
function tableHealth(consumers: readonly ConsumerFigures[] | null): StationHealth {
  const [some] = consumers ?? [];
  if (some === undefined) return unknown;
  const all = consumers ?? [];
  const waiting = all.flatMap(({ waiting }) => waiting ?? []);
  const errors = all.flatMap(({ lastError }) => lastError ?? []);
  const since = waiting.map((wait) => wait.since).toSorted()[0] ?? null;
  const lastError = errors.toSorted((a, b) => (a.at < b.at ? 1 : -1))[0] ?? null;
  return { up: waiting.length < all.length, since, lastError };
}

function newestRow({ consumers }: TopicFigures, at: Date) {
  const newestRowAt =
    consumers
      .flatMap((each) => each.newestRowAt ?? [])
      .toSorted()
      .at(-1) ?? null;
  const ageMs = newestRowAt === null ? 0 : at.getTime() - Date.parse(newestRowAt);
  const newestRowAgeSeconds = newestRowAt === null ? null : Math.max(0, ageMs / 1000);
  return { newestRowAt, newestRowAgeSeconds };
}

/** A consumer that has said nothing new for so long is not at work: it does so every few seconds. */
const silentMs = 15_000;

/**
 * Tells which consumers are at work: those that go on saying something new, as seen from here, so
 * that their clocks do not matter. When first heard of, one is believed what its clock says.
 */
function createAlive() {
  let heard = new Map<string, { readonly said: string; readonly ms: number }>();
  return {
    of: (consumers: readonly ConsumerFigures[], at: Date): readonly ConsumerFigures[] => {
      heard = new Map(
        consumers.map(({ worker, at: said }) => {
          const before = heard.get(worker);
          if (before?.said === said) return [worker, before];
          return [worker, { said, ms: before ? at.getTime() : Date.parse(said) }];
        }),
      );
      return consumers.filter(
        ({ worker }) => at.getTime() - (heard.get(worker)?.ms ?? 0) < silentMs,
      );
    },
  };
}

/** Since when there has been work, and none of it was done; null when some was, or there is none. */
function createIdle() {
  let since: Date | null = null;
  let before: { readonly done: number; readonly left: number } | undefined;
  return {
    since: (at: Date, done: number | undefined, left: number | undefined): Date | null => {
      if (done === undefined || left === undefined) return since;
      const isIdle = left > 0 && before?.done === done && before.left > 0;
      if (!isIdle || since === null) since = left > 0 ? at : null;
      before = { done, left };
      return isIdle ? since : null;
    },
  };
}

/** Rates are those of so long. */
const windowMs = 15_000;
/** One for each second of it, and a few more. */
const maxSamples = 20;

type Counts = Readonly<Record<"received" | "written" | "consumed", number | undefined>>;

const unknownCounts = { received: undefined, written: undefined, consumed: undefined };

function createRates() {
  const samples: (Counts & { readonly ms: number })[] = [];
  return {
    add: (ms: number, counts: Counts) => {
      samples.push({ ms, ...counts });
      while (samples.length > maxSamples || (samples[0]?.ms ?? ms) < ms - windowMs) samples.shift();
    },
    /** The last of them. */
    counts: (): Counts => samples.at(-1) ?? unknownCounts,
    /** From the first of the samples to the last one; what shrinks was made anew: none. */
    of: (what: keyof Counts): number | null => {
      const known = samples.filter((sample) => sample[what] !== undefined);
      const [first, last] = [known[0], known.at(-1)];
      const seconds = ((last?.ms ?? 0) - (first?.ms ?? 0)) / 1000;
      if (seconds <= 0) return null;
      const more = (last?.[what] ?? 0) - (first?.[what] ?? 0);
      return Math.max(0, Math.round((more / seconds) * 10) / 10);
    },
  };
}
