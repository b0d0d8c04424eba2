import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** The figures of one process, as Prometheus wants them. */
export interface Figures {
  readonly contentType: string;
  /** All of them in Prometheus' text format, as they stand. */
  text(): Promise<string>;
  /** What only grows: counted as it happens, or read where it is counted elsewhere. */
  counter<L extends string = never>(
    name: `${string}_total`,
    help: string,
    how?: { readonly labels?: Known<L>; readonly read?: () => number },
  ): Counter<L>;
  /** What goes up and down: read when it is asked for. What is undefined is left out. */
  gauge(name: string, help: string, read: () => number | undefined): void;
  /** The same for each value of a label. */
  gauges(name: string, help: string, label: string, read: () => Values): void;
  /** What does not change, as labels of a figure that is always 1. */
  info(name: `${string}_info`, help: string, labels: Readonly<Record<string, string>>): void;
  /** In seconds or other base units. */
  histogram<L extends string = never>(
    name: string,
    help: string,
    how: { readonly buckets: readonly number[]; readonly labels?: Known<L> },
  ): Histogram<L>;
}

/** By the value of the label. */
export type Values = Readonly<Record<string, number | undefined>>;

/** Labels with the values that are there from the start, at zero. */
type Known<L extends string> = Readonly<Record<L, readonly string[]>>;

/**
 * Without prom-client's own figures of the process, which are made for Node's internals and fail on
 * Bun.
 */
export function createFigures(): Figures {
  const registry = new Registry();
  const registers = [registry];
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter: (name, help, { labels, read } = {}) => {
      const counter = new Counter({ name, help, labelNames: namesOf(labels), registers });
      for (const each of zeros(labels)) counter.inc(each, 0);
      const collect = () => {
        counter.reset();
        counter.inc(read?.() ?? 0);
      };
      return read ? Object.assign(counter, { collect }) : counter;
    },
    gauge: (name, help, read) => readGauge(registers, { name, help, read }),
    gauges: (name, help, label, read) => readGauges(registers, { name, help, label, read }),
    info: (name, help, labels) => {
      const gauge = new Gauge({ name, help, labelNames: Object.keys(labels), registers });
      gauge.set(labels, 1);
    },
    histogram: (name, help, { labels, buckets }) => {
      const shape = { labelNames: namesOf(labels), buckets: [...buckets] };
      const histogram = new Histogram({ name, help, ...shape, registers });
      for (const each of zeros(labels)) histogram.zero(each);
      return histogram;
    },
  };
}

interface Read<T> {
  readonly name: string;
  readonly help: string;
  readonly read: () => T;
}

function readGauge(registers: Registry[], { name, help, read }: Read<number | undefined>): void {
  const collect = () => {
    const value = read();
    if (value === undefined) gauge.remove();
    else gauge.set(value);
  };
  const gauge = new Gauge({ name, help, registers, collect });
}

function readGauges(
  registers: Registry[],
  { name, help, label, read }: Read<Values> & { readonly label: string },
): void {
  const collect = () => {
    gauge.reset();
    for (const [of, value] of Object.entries(read())) {
      if (value !== undefined) gauge.set({ [label]: of }, value);
    }
  };
  const gauge = new Gauge({ name, help, labelNames: [label], registers, collect });
}

function namesOf<L extends string>(labels: Known<L> | undefined): L[] {
  return Object.keys(labels ?? {}) as L[];
}

/** Of one label; nothing here has two. */
function zeros<L extends string>(labels: Known<L> | undefined): Partial<Record<L, string>>[] {
  return namesOf(labels).flatMap((name) =>
    (labels?.[name] ?? []).map((value) => ({ [name]: value }) as Partial<Record<L, string>>),
  );
}
