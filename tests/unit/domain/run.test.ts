import { describe, expect, test } from "bun:test";
import { nextPage, pageUsers, type Run, runText, seedOf } from "../../../lib/domain/run.ts";

describe("the pages of a run", () => {
  const pages = (results: number, pageUsers = 5000) => {
    const all: number[] = [];
    const of = (pages: number) => nextPage({ results, pages, pageUsers });
    for (let at = of(0); at; at = of(at.page)) {
      expect(at.page).toBe(all.length + 1);
      all.push(at.results);
    }
    return all;
  };

  test.each([
    [1, [1]],
    [4999, [4999]],
    [5000, [5000]],
    [5001, [5000, 1]],
    [12_345, [5000, 5000, 2345]],
  ])("of %d users hold %j", (results, expected) => {
    expect(pages(results)).toEqual(expected);
  });

  test("never hold more users than the API gives at once", () => {
    expect(Math.max(...pages(1_000_000, pageUsers))).toBe(pageUsers);
    expect(pageUsers).toBeLessThanOrEqual(5000);
  });

  test("go on after those that are committed", () => {
    expect(nextPage({ results: 12_345, pages: 2, pageUsers: 5000 })).toEqual({
      page: 3,
      results: 2345,
    });
    expect(nextPage({ results: 12_345, pages: 3, pageUsers: 5000 })).toBeUndefined();
  });
});

describe("the seed of a run", () => {
  test("with a logical time is made of that time alone", () => {
    const logicalTime = new Date("2026-03-29T01:30:00.000Z");
    expect(seedOf({ id: 1, logicalTime })).toBe("at-20260329T013000Z");
    expect(seedOf({ id: 2, logicalTime })).toBe("at-20260329T013000Z");
  });

  test("without a logical time is made of its id", () => {
    expect(seedOf({ id: 42 })).toBe("run-42-");
  });

  test("never ends in a digit, to which the API would add the page, nor is 18 characters long", () => {
    for (const id of [1, 10, 999_999_999_999, 9_999_999_999_999, 99_999_999_999_999]) {
      expect(seedOf({ id })).toMatch(/\D$/);
    }
    const seed = seedOf({ id: 1, logicalTime: new Date("9999-12-31T23:59:59Z") });
    expect(seed).toMatch(/\D$/);
    expect(seed).not.toHaveLength(18);
  });
});

test("a run in one line says what was fetched, accepted, rejected and published", () => {
  const run = { id: 3, state: "success", seed: "s-", seconds: 1.5 } as Run;
  const counts = { fetched: 10, accepted: 9, rejected: 1, published: 9 };
  const line = runText({ ...run, ...counts, error: null });
  expect(line).toMatch(
    /^run 3 success; 10 fetched, 9 accepted, 1 rejected, 9 published, .*1\.5 s\n$/,
  );
  expect(runText({ ...run, ...counts, state: "failed", error: "the API: 500" })).toStartWith(
    "run 3 failed: the API: 500; 10 fetched",
  );
});
