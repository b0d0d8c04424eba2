import { createRandom, type Random } from "../../lib/local/fake-api/random.ts";
import { serverNames } from "../../lib/local/servers.ts";
import { poisonForms } from "./poison.ts";

/** One fault of the plan. Times are seconds. */
export interface PlannedFault {
  readonly kind: FaultKind;
  readonly target: string;
  /** When it begins, after the start of the load, and how long it lasts. */
  readonly at: number;
  readonly seconds: number;
}

export type FaultKind = string;

interface Kind {
  readonly targets: readonly string[];
  /** How long it lasts: from, to. */
  readonly seconds: readonly [number, number];
}

const processes = ["ingest", "consume"];
const moment = [0, 0] as const;
const aWhile = [3, 12] as const;

/** Every kind of fault: whom it can hit, and how long. The first word says who performs it. */
export const faultKinds: Readonly<Record<FaultKind, Kind>> = {
  "process kill -9": { targets: processes, seconds: moment },
  "process SIGTERM": { targets: processes, seconds: moment },
  "process frozen": { targets: processes, seconds: [3, 20] },
  "server restarted": { targets: serverNames, seconds: moment },
  "server stopped": { targets: serverNames, seconds: [5, 30] },
  "server killed": { targets: serverNames, seconds: moment },
  "server frozen": { targets: serverNames, seconds: [3, 15] },
  ...Object.fromEntries(
    ["slow", "narrow", "reset", "half-open", "black hole", "refused", "frozen"].map((name) => [
      `link ${name}`,
      { targets: serverNames, seconds: aWhile },
    ]),
  ),
  ...Object.fromEntries(
    [
      ...["429", "500", "html", "truncated", "short", "slow", "hang"],
      ...["reset", "duplicates", "changed", "invalid"],
    ].map((name) => [`source ${name}`, { targets: ["API"], seconds: [2, 8] as const }]),
  ),
  ...Object.fromEntries(
    poisonForms.map((form) => [`poison ${form}`, { targets: ["topic"], seconds: moment }]),
  ),
  "group member joins": { targets: ["consume"], seconds: [5, 20] },
  "group member leaves": { targets: ["consume"], seconds: [5, 20] },
  "group partitions raised": { targets: ["topic"], seconds: moment },
};

/** The last part of the time is without new faults, so that the load is seen to go on. */
const faultyShare = 0.95;
const faultsPerMinute = 6;

/**
 * Which fault begins when: the same seed and minutes give the same plan. Every kind comes once
 * before any comes twice, and hits another target the second time. Faults may overlap.
 */
export function planOf({ seed, minutes }: { seed: string; minutes: number }): PlannedFault[] {
  const random = createRandom(`chaos-${seed}`);
  const count = Math.max(1, Math.round(minutes * faultsPerMinute));
  const gap = (minutes * 60 * faultyShare) / count;
  // None takes more than a tenth of the time.
  const longest = minutes * 6;
  return drawn(random, count).map(({ kind, target }, nth) => {
    const [from, to] = faultKinds[kind]?.seconds ?? moment;
    return {
      kind,
      target,
      at: tenths((nth + random.below(1000) / 1000) * gap),
      seconds: tenths(Math.min(longest, random.between(10 * from, 10 * to) / 10)),
    };
  });
}

function drawn(random: Random, count: number): { kind: FaultKind; target: string }[] {
  const deck: { kind: FaultKind; target: string }[] = [];
  const decks = Object.entries(faultKinds).map(([kind, { targets }]) => {
    const order = shuffled(random, targets);
    return (round: number) => ({ kind, target: order[round % order.length] ?? "" });
  });
  for (let round = 0; deck.length < count; round++) {
    deck.push(...shuffled(random, decks).map((draw) => draw(round)));
  }
  return deck.slice(0, count);
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const left = [...list];
  return list.flatMap(() => left.splice(random.below(left.length), 1));
}

function tenths(seconds: number): number {
  return Math.round(10 * seconds) / 10;
}
