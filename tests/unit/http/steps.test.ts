import { expect, test } from "bun:test";
import type { History } from "../../../lib/domain/history.ts";
import { merged } from "../../../lib/http/dashboard/overview/steps.ts";

/** Every list counts on from `first`, so that each tells which of two it is of. */
function history(at: readonly number[], first: number): History {
  const values = at.map((_, n) => first + n);
  const spread = { p50: values, p99: values };
  return {
    ...{ stepSeconds: 10, at, pending: values, lag: values },
    rowsPerSecond: { raw: values, topic: values, table: values },
    ...{ batchRows: spread, writeMs: spread, endToEndMs: spread },
  };
}

test("later steps take the place of those at the same times, and old ones go", () => {
  const old = history([100, 110, 120, 130], 0);
  expect(merged(old, history([120, 130, 140], 50), 110)).toEqual({
    ...history([110, 120, 130, 140], 0),
    ...lists([1, 50, 51, 52]),
  });
});

test("after a long pause nothing of before is left", () => {
  const old = history([100, 110], 0);
  expect(merged(old, history([500, 510], 50), 450)).toEqual({
    ...history([500, 510], 0),
    ...lists([50, 51]),
  });
});

test("no later steps change nothing", () => {
  const old = history([100, 110], 0);
  expect(merged(old, history([], 0), 100)).toEqual(old);
});

function lists(values: readonly number[]) {
  const spread = { p50: values, p99: values };
  return {
    ...{
      pending: values,
      lag: values,
      rowsPerSecond: { raw: values, topic: values, table: values },
    },
    ...{ batchRows: spread, writeMs: spread, endToEndMs: spread },
  };
}
