import { expect, test } from "bun:test";
import fc from "fast-check";
import { mostSteps, stepsOf, together, usualStep } from "../../../lib/domain/history.ts";

const at = (seconds: number) => new Date(seconds * 1000);

test.each([
  [60, 5],
  [3600, 10],
  [24 * 3600, 300],
  [14 * 24 * 3600, 3600],
])("a span of %d seconds is told in steps of %d", (seconds, step) => {
  expect(usualStep({ from: at(0), to: at(seconds) })).toBe(step);
});

test("a span of any length has as many steps as an answer may have, at most", () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), fc.date({ noInvalidDate: true }), (a, b) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      const stepSeconds = Math.max(1, usualStep({ from, to }));
      expect(stepsOf({ from, to, stepSeconds })).toBeWithin(0, mostSteps + 1);
    }),
  );
});

test("several consumers are told as one: the mean of the medians, and the worst", () => {
  expect(together([null, { p50: 1, p99: 5 }, { p50: 3, p99: 4 }])).toEqual({ p50: 2, p99: 5 });
  expect(together([null])).toBeNull();
  expect(together([])).toBeNull();
});
