import { atMost, median, type Row, short, spread } from "./figures.ts";
import { ourSide, runSide, startSide } from "./side.ts";
import type { Bench } from "./stage.ts";

/** Percentiles in milliseconds. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
export interface BothLatencies {
  readonly topic: Latencies;
  readonly raw: Latencies;
  readonly peakMb: number;
}

/** Users a second. The targets are for a thousand. */
export const latencyRates = [100, 1000, 5000];

/** Not counted: what comes first finds everything cold. */
export const warmSeconds = 2;

/**
 * Users kept at a steady rate, and how old they are when the store has acknowledged them: from the
 * time of their record, and from when their raw row was kept. On servers elsewhere it is only as
 * good as the clocks agree.
 */
export async function latency(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const rate of latencyRates) {
    const found: BothLatencies[] = [];
    for (let round = 1; round <= bench.sizes.latencyRounds; round++) {
      bench.step(`latency: ${rate} users a second, round ${round}`);
      found.push(await atRate(bench, rate));
    }
    rows.push(...rowsOf(rate, found));
  }
  return rows;
}

async function atRate(bench: Bench, rate: number): Promise<BothLatencies> {
  const { signal, sizes } = bench;
  await using pipeline = await bench.pipeline();
  const { settings } = pipeline;
  const users = rate * (warmSeconds + sizes.latencySeconds);
  await using table = startSide(ourSide("latency-table", rate * warmSeconds, users), {
    settings,
    signal,
  });
  const [found] = await Promise.all([
    table.result<BothLatencies>(),
    runSide(ourSide("latency-raw", rate, users), { settings, signal }),
  ]);
  return found;
}

function rowsOf(rate: number, found: readonly BothLatencies[]): Row[] {
  const row = (what: string, of: (each: BothLatencies) => Latencies): Omit<Row, "checks"> => {
    const [p50, p99, max] = (["p50", "p99", "max"] as const).map((name) =>
      found.map((each) => of(each)[name]),
    );
    const texts = [`p50 ${short(median(p50 ?? []))}`, `p99 ${short(median(p99 ?? []))}`];
    return {
      stage: "latency",
      what: `${what}, ${short(rate)} users/s`,
      unit: "ms",
      ours: spread(p50 ?? []),
      text: `${texts.join(", ")}, max ${short(Math.max(...(max ?? [])))} ms`,
      peakMb: Math.max(...found.map(({ peakMb }) => peakMb)),
    };
  };
  const p50 = median(found.map(({ topic }) => topic.p50));
  const p99 = median(found.map(({ topic }) => topic.p99));
  const rawP99 = median(found.map(({ raw }) => raw.p99));
  const counts = rate === 1000;
  return [
    {
      ...row("topic to row", ({ topic }) => topic),
      checks: counts ? [atMost("p50", p50, 5), atMost("p99", p99, 20)] : [],
    },
    {
      ...row("raw to row", ({ raw }) => raw),
      checks: counts ? [atMost("p99", rawP99, 50)] : [],
    },
  ];
}
