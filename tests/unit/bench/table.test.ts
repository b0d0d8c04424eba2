import { expect, test } from "bun:test";
import type { Row } from "../../bench/figures.ts";
import { tableText } from "../../bench/table.ts";

const one = (value: number) => ({ median: value, low: value, high: value });

const row: Row = {
  stage: "publish",
  what: "400 B",
  unit: "records/s",
  ours: one(144_000),
  limit: one(250_000),
  limitName: "C",
  ratio: { median: 0.58, low: 0.5, high: 0.6 },
  cpuMicros: one(4.1),
  limitCpuMicros: one(1.2),
  peakMb: 120,
  checks: [
    { target: "ratio ≥ 0.6", met: false, found: "0.58" },
    { target: "CPU µs more ≤ 3", met: true, found: "2.9" },
  ],
};

test("a row shows both sides, their ratio with its spread, and each target", () => {
  const [heads = "", rule = "", line = ""] = tableText([row]).split("\n");
  expect(heads.split(/ {2,}/)).toEqual([
    "stage",
    "ours",
    "limit",
    "ratio",
    "CPU µs",
    "MB",
    "target",
  ]);
  expect(rule).toMatch(/^[- ]+$/);
  expect(line.split(/ {2,}/)).toEqual([
    "publish, 400 B",
    "144,000 records/s",
    "250,000 C",
    "0.58 (0.5–0.6)",
    "4.1 (1.2)",
    "120",
    "ratio ≥ 0.6: MISSED (0.58); CPU µs more ≤ 3: met",
  ]);
});

test("columns begin at the same place in every line", () => {
  const lines = tableText([row, { ...row, what: "a much longer name" }]).split("\n");
  const places = [lines[2], lines[3]].map((line) => line?.indexOf("144,000"));
  expect(new Set(places).size).toBe(1);
});

test("a row without a limit says why below the table", () => {
  const { limit, limitName, ratio, limitCpuMicros, ...alone } = row;
  const text = tableText([{ ...alone, note: "the Rust program needs cargo" }]);
  expect(text).toEndWith("\n\npublish, 400 B: the Rust program needs cargo\n");
  expect(text).toContain("144,000 records/s");
});

test("a text stands in the place of the number", () => {
  expect(tableText([{ ...row, text: "p50 4, p99 12 ms" }])).toContain("p50 4, p99 12 ms");
});
