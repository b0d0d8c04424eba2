/** What a bench says of its measurements: all of it pure. */

/** The middle of several measurements, and between which values they lie. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** What one side did in one round. */
export interface Measured {
  readonly records: number;
  readonly seconds: number;
  /** Of the whole process, its threads included, while it measured. */
  readonly cpuSeconds: number;
  /** The most that was resident since the process started. */
  readonly peakMb: number;
}

/** One target, and whether it was met. */
export interface Check {
  readonly target: string;
  readonly met: boolean;
  /** What was measured, where it is not in the row anyway. */
  readonly found: string;
}

/** One line of the table. */
export interface Row {
  readonly stage: string;
  readonly what: string;
  readonly unit: string;
  readonly ours: Spread;
  /** Shown in its place, where one number does not say it. */
  readonly text?: string;
  /** What stands on the other side, in the same unit. */
  readonly limit?: Spread;
  readonly limitName?: string;
  /** Ours by the limit, round by round. */
  readonly ratio?: Spread;
  readonly cpuMicros?: Spread;
  readonly limitCpuMicros?: Spread;
  readonly peakMb?: number;
  readonly checks: readonly Check[];
  /** What else the reader should know; also why a side is missing. */
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** The value below which a share of them lies: 0.99 for p99. The nearest one, none in between. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = Math.max(0, Math.ceil(share * sorted.length) - 1);
  return sorted[at] ?? Number.NaN;
}

export function rate({ records, seconds }: Measured): number {
  return records / seconds;
}

export function cpuMicros({ records, cpuSeconds }: Measured): number {
  return (cpuSeconds * 1e6) / records;
}

export interface Rounds {
  readonly stage: string;
  readonly what: string;
  readonly ours: readonly Measured[];
  /** As many as ours, each measured right after it; none where that side cannot be had. */
  readonly limit?: readonly Measured[];
  readonly limitName?: string;
  readonly note?: string;
}

/** A row of rates. Each round is compared with the limit measured next to it, never with another. */
export function rateRow(
  { ours, limit, ...rest }: Rounds,
  checks: (row: Omit<Row, "checks">) => readonly Check[] = () => [],
): Row {
  const compared = limit?.map((each, at) => rate(ours[at] ?? each) / rate(each));
  const row = {
    ...rest,
    unit: "records/s",
    ours: spread(ours.map(rate)),
    cpuMicros: spread(ours.map(cpuMicros)),
    peakMb: Math.max(...ours.map(({ peakMb }) => peakMb)),
    ...(limit && compared
      ? {
          limit: spread(limit.map(rate)),
          ratio: spread(compared),
          limitCpuMicros: spread(limit.map(cpuMicros)),
        }
      : {}),
  };
  return { ...row, checks: checks(row) };
}

export function atLeast(name: string, value: number | undefined, least: number): Check {
  return check(`${name} ≥ ${least}`, value, (found) => found >= least);
}

export function atMost(name: string, value: number | undefined, most: number): Check {
  return check(`${name} ≤ ${most}`, value, (found) => found <= most);
}

/** A target whose value is missing was not met: nothing shows that it was. */
function check(target: string, value: number | undefined, holds: (found: number) => boolean) {
  const measured = value !== undefined && Number.isFinite(value);
  return {
    target,
    met: measured && holds(value),
    found: measured ? short(value) : "not measured",
  };
}

/** "38,100", "7.4", "0.62" */
export function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
