import { describe, expect, test } from "bun:test";
import {
  atLeast,
  atMost,
  type Measured,
  median,
  percentile,
  rateRow,
  short,
  spread,
} from "../../bench/figures.ts";

const measured = (records: number, seconds: number, cpuSeconds = 1, peakMb = 100): Measured => ({
  records,
  seconds,
  cpuSeconds,
  peakMb,
});

describe("the middle", () => {
  test("of an odd number of values is one of them, whatever their order", () => {
    expect(median([10, 1, 9])).toBe(9);
  });

  test("of an even number lies between the two", () => {
    expect(median([4, 1, 2, 10])).toBe(3);
  });

  test("comes with the lowest and the highest", () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
  });

  test("of nothing is no number", () => {
    expect(median([])).toBeNaN();
  });
});

test("a percentile is a value that was measured, the first that so many reach", () => {
  const values = Array.from({ length: 200 }, (_, at) => 200 - at);
  expect(percentile(values, 0.5)).toBe(100);
  expect(percentile(values, 0.99)).toBe(198);
  expect(percentile(values, 1)).toBe(200);
  expect(percentile([7], 0.5)).toBe(7);
});

describe("a row", () => {
  test("compares each round with the limit measured next to it, not their medians", () => {
    const row = rateRow({
      stage: "publish",
      what: "400 B",
      ours: [measured(100, 1), measured(50, 1), measured(90, 1)],
      limit: [measured(200, 1), measured(50, 1), measured(300, 1)],
    });
    expect(row.ours.median).toBe(90);
    expect(row.limit?.median).toBe(200);
    expect(row.ratio).toEqual({ median: 0.5, low: 0.3, high: 1 });
  });

  test("has microseconds of CPU a record and the most memory of all rounds", () => {
    const row = rateRow({
      stage: "sink",
      what: "rows",
      ours: [
        measured(1000, 1, 0.02, 90),
        measured(1000, 1, 0.04, 120),
        measured(1000, 1, 0.03, 80),
      ],
    });
    expect(row.cpuMicros).toEqual({ median: 30, low: 20, high: 40 });
    expect(row.peakMb).toBe(120);
  });

  test("without a limit has no ratio, and misses the target about it", () => {
    const row = rateRow({ stage: "sink", what: "rows", ours: [measured(1, 1)] }, ({ ratio }) => [
      atLeast("ratio", ratio?.median, 0.7),
    ]);
    expect(row.ratio).toBeUndefined();
    expect(row.checks).toEqual([{ target: "ratio ≥ 0.7", met: false, found: "not measured" }]);
  });
});

describe("a target", () => {
  test("is met at its very value", () => {
    expect(atLeast("ratio", 0.6, 0.6).met).toBe(true);
    expect(atMost("MB", 200, 200).met).toBe(true);
  });

  test("is missed beyond it, with what was found", () => {
    expect(atLeast("ratio", 0.59, 0.6)).toEqual({
      target: "ratio ≥ 0.6",
      met: false,
      found: "0.59",
    });
    expect(atMost("MB", 201, 200)).toEqual({ target: "MB ≤ 200", met: false, found: "201" });
  });

  test("is missed by what is no number", () => {
    expect(atMost("p99", Number.NaN, 20).met).toBe(false);
  });
});

test("numbers are short: no decimals from a hundred on", () => {
  expect([38_123.4, 123.4, 12.34, 1.234, 0].map(short)).toEqual([
    "38,123",
    "123",
    "12.3",
    "1.23",
    "0",
  ]);
});
