import type { TestPipeline } from "../stations.ts";
import type { Measured, Row } from "./figures.ts";
import type { Program, Programs } from "./programs.ts";
import type { RecordsOptions } from "./records.ts";
import type { Settings } from "./side.ts";

/** A part of the pipeline that is measured. */
export interface Stage {
  readonly name: string;
  /** How often `run` says what it measures, for the progress. */
  steps(bench: Pick<Bench, "sizes" | "rounds" | "programs">): number;
  run(bench: Bench): Promise<readonly Row[]>;
}

/** What every stage measures with. */
export interface Bench {
  readonly sizes: Sizes;
  readonly programs: Programs;
  /** How often each side is measured. */
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** A database, topics and a table of its own, dropped when it is disposed. */
  pipeline(): Promise<TestPipeline>;
  /** The path of a file of records, made once. */
  records(options: RecordsOptions): Promise<string>;
  /** Says what is measured now. */
  step(what: string): void;
  /** CPU seconds of the servers so far, by name; none where they are not ours. */
  serversCpu(): Readonly<Record<string, number>>;
}

export interface Sizes {
  readonly publish: Counts;
  readonly consume: Counts;
  readonly sink: Counts;
  readonly drain: number;
  readonly raw: Counts;
  readonly relay: Counts;
  readonly whole: number;
  /** The tutorial's loop is slow: it gets so many users. */
  readonly tutorial: number;
  readonly latencySeconds: number;
  readonly latencyRounds: number;
  readonly growth: readonly number[];
}
export interface Counts {
  readonly warm: number;
  readonly count: number;
}

export const quick: Sizes = {
  publish: { warm: 50_000, count: 100_000 },
  consume: { warm: 50_000, count: 250_000 },
  sink: { warm: 10_000, count: 20_000 },
  drain: 30_000,
  raw: { warm: 5000, count: 20_000 },
  relay: { warm: 5000, count: 20_000 },
  whole: 20_000,
  tutorial: 200,
  latencySeconds: 4,
  latencyRounds: 1,
  growth: [1000, 5000, 25_000],
};

export const normal: Sizes = {
  publish: { warm: 100_000, count: 500_000 },
  consume: { warm: 100_000, count: 500_000 },
  sink: { warm: 20_000, count: 200_000 },
  drain: 1_000_000,
  raw: { warm: 10_000, count: 100_000 },
  relay: { warm: 10_000, count: 100_000 },
  whole: 100_000,
  tutorial: 1000,
  latencySeconds: 20,
  latencyRounds: 3,
  growth: [10_000, 100_000, 1_000_000],
};

export const full: Sizes = { ...normal, growth: [...normal.growth, 5_000_000] };

/** Measures one side, in the settings of its pipeline. */
export type Side = () => Promise<Measured>;

/**
 * Measures the sides in turn, each as often as there are rounds, after a round that does not count:
 * servers, too, have to get warm. By side, in the order given.
 */
export async function alternate(
  { rounds, step, signal }: Bench,
  what: string,
  sides: Readonly<Record<string, Side>>,
): Promise<Readonly<Record<string, readonly Measured[]>>> {
  const measured = new Map(Object.keys(sides).map((name): [string, Measured[]] => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, side] of Object.entries(sides)) {
      signal.throwIfAborted();
      step(`${what}: ${name}, ${round === 0 ? "warming up" : `round ${round} of ${rounds}`}`);
      const result = await side();
      if (round > 0) measured.get(name)?.push(result);
    }
  }
  return Object.fromEntries(measured);
}

/** How often `alternate` says what it measures. */
export function stepsOf({ rounds }: Pick<Bench, "rounds">, sides: number): number {
  return (rounds + 1) * sides;
}

/** The side that a compiled program is, if it is there, and what to say if it is not. */
export function limitOf(
  program: Program,
  name: string,
  run: (path: string) => Promise<Measured>,
): { readonly sides: Readonly<Record<string, Side>>; readonly note?: string } {
  if ("missing" in program) return { sides: {}, note: program.missing };
  return { sides: { [name]: () => run(program.path) } };
}

/** Properties as the C program takes them: those that are functions here mean nothing to it. */
export function asArguments(properties: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(properties)
    .filter(([name]) => !name.endsWith("_cb"))
    .map(([name, value]) => `${name}=${value}`);
}

export type { Settings };
