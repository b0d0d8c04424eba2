/** How the pipeline stood at one moment, to be kept. Null is what nobody could tell just then. */
export interface Sample {
  /** Ever received, published and consumed: they only grow, as long as it is the same topic. */
  readonly received: number;
  readonly written: number | null;
  readonly consumed: number | null;
  readonly pending: number;
  readonly lag: number | null;
  /** Of the consumers at work. */
  readonly batchRows: Spread | null;
  readonly writeMs: Spread | null;
  readonly endToEndMs: Spread | null;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
}

export interface HistorySpan {
  readonly from: Date;
  readonly to: Date;
  readonly stepSeconds: number;
}

/**
 * How the pipeline stood over time, step by step: lists of the same length, as plots take them.
 * Null is what was not known, or not kept.
 */
export interface History {
  readonly stepSeconds: number;
  /** The begin of each step, in seconds since 1970. */
  readonly at: readonly number[];
  /** Rows received, records published and records consumed a second, on average of the step. */
  readonly rowsPerSecond: Readonly<Record<"raw" | "topic" | "table", Values>>;
  /** The most of the step. */
  readonly pending: Values;
  readonly lag: Values;
  /** On average of the step the medians, of the others the largest. */
  readonly batchRows: SpreadValues;
  readonly writeMs: SpreadValues;
  readonly endToEndMs: SpreadValues;
}
type Values = readonly (number | null)[];
type SpreadValues = Readonly<Record<keyof Spread, Values>>;

/** A sample is taken so often. */
export const sampleSeconds = 5;
/** Steps that an answer has at most, and those it has when nobody says how long one is. */
export const mostSteps = 2000;
const usualSteps = 400;

const lengths = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/** The shortest usual step that gives not too many of them. */
export function usualStep({ from, to }: Pick<HistorySpan, "from" | "to">): number {
  const seconds = (to.getTime() - from.getTime()) / 1000;
  const found = lengths.find((length) => seconds / length <= usualSteps);
  return found ?? Math.ceil(seconds / usualSteps / 86_400) * 86_400;
}

/** How many steps a span has. */
export function stepsOf({ from, to, stepSeconds }: HistorySpan): number {
  return Math.ceil((to.getTime() - from.getTime()) / 1000 / stepSeconds);
}

/** What several consumers say as one: the mean of their medians, and the worst of the others. */
export function together(spreads: readonly (Spread | null)[]): Spread | null {
  const known = spreads.filter((each) => each !== null);
  if (known.length === 0) return null;
  const p50 = known.reduce((sum, each) => sum + each.p50, 0) / known.length;
  return { p50, p99: Math.max(...known.map((each) => each.p99)) };
}
