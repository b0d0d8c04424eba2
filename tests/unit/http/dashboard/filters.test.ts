import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { runStates, triggers } from "../../../../lib/domain/run.ts";
import {
  addressOf,
  type Filters,
  filtersOf,
  isAll,
  noFilters,
  passes,
  queryOf,
  spans,
  toggled,
} from "../../../../lib/http/dashboard/runs/filters.ts";
import { aRun } from "../../../runs.ts";

const now = Date.parse("2026-01-10T12:00:00Z");
const moments = fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
const anyFilters: fc.Arbitrary<Filters> = fc
  .record({
    states: fc.subarray([...runStates]),
    triggers: fc.subarray([...triggers]),
    since: fc.option(fc.constantFrom(...spans), { nil: undefined }),
    from: fc.option(moments, { nil: undefined }),
    to: fc.option(moments, { nil: undefined }),
  })
  .map((each) => (each.since ? { ...each, from: undefined, to: undefined } : each));

describe("filters", () => {
  test("come back from the address as they were", () => {
    fc.assert(
      fc.property(anyFilters, (filters) => {
        const address = new URLSearchParams(`${addressOf(filters)}`);
        expect(filtersOf(address)).toEqual(filters);
      }),
    );
  });

  test.each(["state=up", "trigger=x,y", "since=1y", "from=tomorrow", "to=", "other=1"])(
    "are none where the address says ?%s",
    (query) => {
      expect(filtersOf(new URLSearchParams(query))).toEqual(noFilters);
      expect(isAll(filtersOf(new URLSearchParams(query)))).toBe(true);
    },
  );

  test("ask for a span as it is now", () => {
    const query = queryOf({ ...noFilters, states: ["failed", "lost" as never], since: "24h" }, now);
    expect(query.get("from")).toBe("2026-01-09T12:00:00.000Z");
    expect(query.get("since")).toBeNull();
  });

  test.each<[string, Partial<Filters>, boolean]>([
    ["its state", { states: ["failed", "success"] }, true],
    ["another state", { states: ["failed"] }, false],
    ["its trigger", { triggers: ["manual"] }, true],
    ["another trigger", { triggers: ["schedule", "backfill"] }, false],
    ["a span it is in", { since: "30d" }, true],
    ["a span it is before", { since: "24h" }, false],
    ["a range that begins with it", { from: "2026-01-01T00:00:00.000Z" }, true],
    ["a range that ends with it", { to: "2026-01-01T00:00:00.000Z" }, false],
  ])("let a run pass by %s: %j %s", (_, filters, pass) => {
    expect(passes(aRun({ id: 1 }), { ...noFilters, ...filters }, now)).toBe(pass);
  });

  test("judge a run by the time it stands for, where it has one", () => {
    const run = aRun({ id: 1, logicalTime: "2025-06-01T00:00:00.000Z" });
    const to = "2025-07-01T00:00:00.000Z";
    expect(passes(run, { ...noFilters, to }, now)).toBe(true);
  });

  test("take one choice more or less, in the order of all", () => {
    expect(toggled(["failed"], "queued", runStates)).toEqual(["queued", "failed"]);
    expect(toggled(["queued", "failed"], "queued", runStates)).toEqual(["failed"]);
  });
});
