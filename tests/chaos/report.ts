import type { Verification } from "../../lib/flow/verify.ts";

/** What chaos did and what came of it. */
export interface ChaosReport {
  readonly seed: string;
  readonly minutes: number;
  readonly seconds: number;
  readonly faults: readonly FaultReport[];
  /** Records received; runs by their state. */
  readonly records: number;
  readonly runs: Readonly<Record<string, number>>;
  readonly verification: Verification;
  /** What the comparison found that shares no code with `verify`. */
  readonly differences: readonly string[];
  readonly poison: number;
  readonly maxLag: number;
  /** Seconds from a record's being received to its row, over the whole time. */
  readonly way: { readonly median: number; readonly longest: number };
  readonly peakMb: Readonly<Record<string, number>>;
  readonly restarts: number;
  readonly wrongEnds: readonly string[];
  /** What went wrong with chaos itself or never came to its end. */
  readonly failures: readonly string[];
  readonly clean: boolean;
}

export interface FaultReport {
  readonly kind: string;
  readonly target: string;
  /** Seconds after the start of the load, and until the fault was over. */
  readonly at: number;
  readonly seconds: number;
  /** Seconds after its end until a record received after it was in the table; null if never. */
  readonly recovery: number | null;
}

/** The report for people. */
export function reportText(report: ChaosReport): string {
  const { verification: found, way, peakMb, differences, wrongEnds, failures } = report;
  const count = (number: number) => number.toLocaleString("en");
  const runs = Object.entries(report.runs).map(([state, runs]) => `${runs} ${state}`);
  const memory = Object.entries(peakMb).map(([service, mb]) => `${service} ${mb} MB`);
  return [
    ...faultTable(report.faults),
    "",
    `seed           ${report.seed}, ${report.minutes} minutes, ${Math.round(report.seconds)} s with start and check`,
    `faults         ${report.faults.length} of ${new Set(report.faults.map(({ kind }) => kind)).size} kinds`,
    `records        ${count(report.records)} received, ${count(found.rejected)} rejected, ${count(found.topic)} on the topic`,
    `runs           ${runs.join(", ")}`,
    `rows           ${count(found.table)}`,
    `dead letters   ${count(found.deadLetters)} of ${count(report.poison)} poison records`,
    `lag            at most ${count(report.maxLag)}, at the end ${found.onTheWay}`,
    `way to the row median ${seconds(way.median)} s, longest ${seconds(way.longest)} s`,
    `memory         at most ${memory.join(", ")}`,
    `restarts       ${report.restarts}, of these not asked for ${wrongEnds.length}`,
    `verify         lost ${found.lost}, stale ${found.stale}, invented ${found.invented}`,
    `own check      ${differences.length} differences`,
    ...[...wrongEnds, ...differences, ...failures].slice(0, 50).map((line) => `  ${line}`),
    report.clean ? "clean: nothing lost, invented or stale" : "NOT clean",
    "",
  ].join("\n");
}

/** A line a kind: how often, whom, and the shortest, the median and the longest recovery. */
function faultTable(faults: readonly FaultReport[]): string[] {
  const kinds = [...new Set(faults.map(({ kind }) => kind))].sort();
  const rows = kinds.map((kind) => {
    const of = faults.filter((fault) => fault.kind === kind);
    const times = of.flatMap(({ recovery }) => (recovery === null ? [] : [recovery]));
    const never = of.length - times.length;
    const [least, middle, most] = [0, 0.5, 1].map((share) => seconds(quantile(times, share)));
    const targets = [...new Set(of.map(({ target }) => target))].join(", ");
    const recovery = times.length === 0 ? "-" : `${least} / ${middle} / ${most}`;
    return [
      kind,
      String(of.length),
      targets,
      never > 0 ? `${recovery} (${never} never)` : recovery,
    ];
  });
  const table = [
    ["fault", "times", "on", "rows flow again after, s (min / median / max)"],
    ...rows,
  ];
  const widths = [0, 1, 2].map((at) => Math.max(...table.map((row) => row[at]?.length ?? 0)));
  return table.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  "));
}

/** The value below which a share of the list lies; 0 of an empty one. */
export function quantile(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function seconds(number: number): string {
  return number.toFixed(1);
}
