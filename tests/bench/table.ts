import { type Row, type Spread, short } from "./figures.ts";

const heads = ["stage", "ours", "limit", "ratio", "CPU µs", "MB", "target"];

/** The rows as a table for people, with a line below it for each note. */
export function tableText(rows: readonly Row[]): string {
  const lines = [heads, ...rows.map(cells)];
  const widths = heads.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)));
  const [head = "", ...rest] = lines.map((line) =>
    line
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  const notes = rows.flatMap(({ stage, what, note }) =>
    note === undefined ? [] : [`${stage}, ${what}: ${note}`],
  );
  return `${[head, rule, ...rest, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n")}\n`;
}

function cells(row: Row): string[] {
  const { ours, limit, limitName, ratio, unit, cpuMicros, limitCpuMicros, peakMb } = row;
  return [
    `${row.stage}, ${row.what}`,
    row.text ?? `${short(ours.median)} ${unit}`,
    limit ? `${short(limit.median)} ${limitName ?? ""}`.trim() : (limitName ?? ""),
    ratio ? ranged(ratio) : "",
    cpuMicros
      ? `${short(cpuMicros.median)}${limitCpuMicros ? ` (${short(limitCpuMicros.median)})` : ""}`
      : "",
    peakMb === undefined ? "" : short(peakMb),
    row.checks.map(verdict).join("; "),
  ];
}

/** "0.62 (0.58–0.66)" */
function ranged({ median, low, high }: Spread): string {
  return `${short(median)} (${short(low)}–${short(high)})`;
}

function verdict({ target, met, found }: Row["checks"][number]): string {
  return met ? `${target}: met` : `${target}: MISSED (${found})`;
}
