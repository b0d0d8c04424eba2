import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PipelineError } from "../../../lib/errors.ts";
import { pageUrl, safeSeed } from "../../../lib/source/randomuser.ts";

const base = new URL("https://randomuser.me/api/1.4/");
const request = { seed: "run-", page: 1, results: 5000, nat: [] };

describe("a seed", () => {
  test.each([
    ["run1", "run1-"],
    ["run", "run"],
    ["run-", "run-"],
    ["2026-11-22T07:00:00Z", "2026-11-22T07:00:00Z"],
    ["exactly-18-letters", "exactly-18-letters-"],
    ["seventeen-letter1", "seventeen-letter1--"],
    ["exactly-18-letter1", "exactly-18-letter1-"],
  ])("%p is sent as %p", (given, sent) => {
    expect(safeSeed(given)).toBe(sent);
  });

  test("and its page never read as another seed and page, nor as a nationality", () => {
    const seed = fc.string({ unit: fc.constantFrom(..."01a-"), minLength: 1, maxLength: 20 });
    const page = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(seed, page, seed, page, (seed, page, other, otherPage) => {
        expect(safeSeed(seed)).not.toHaveLength(18);
        // The API leaves page 1 out.
        const sent = (seed: string, page: number) => safeSeed(seed) + (page === 1 ? "" : page);
        if (sent(seed, page) === sent(other, otherPage)) {
          expect([safeSeed(other), otherPage]).toEqual([safeSeed(seed), page]);
        }
      }),
    );
  });
});

describe("the address of a page", () => {
  test("says results, page, seed and nationalities", () => {
    const url = pageUrl(base, { seed: "run1", page: 3, results: 20, nat: ["GB", "us"] });
    expect(url.href).toBe(
      "https://randomuser.me/api/1.4/?results=20&page=3&seed=run1-&nat=gb%2Cus",
    );
  });

  test("leaves nationalities out when there are none", () => {
    expect(pageUrl(base, request).searchParams.has("nat")).toBe(false);
  });

  test("keeps what the configured address says already, but not against the request", () => {
    const url = pageUrl(new URL("http://localhost/users?key=a%20b&results=1"), request);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      key: "a b",
      results: "5000",
      page: "1",
      seed: "run-",
    });
  });

  test("carries any seed unharmed", () => {
    const seed = "a&b=c#d/é ?";
    expect(pageUrl(base, { ...request, seed }).searchParams.get("seed")).toBe(seed);
  });

  test.each([
    ["no users", { results: 0 }],
    ["more users than the API gives", { results: 5001 }],
    ["half a user", { results: 1.5 }],
    ["not a number of users", { results: Number.NaN }],
    ["page 0", { page: 0 }],
    ["a page that the API takes for the first", { page: 10_001 }],
    ["no seed", { seed: "" }],
    ["a nationality that the API does not know", { nat: ["gb", "xx"] }],
  ])("is not made for %s", (_, change) => {
    const asking = () => pageUrl(base, { ...request, ...change });
    expect(asking).toThrow(PipelineError);
    expect(asking).toThrow("the API cannot be asked for this");
  });

  test.each([{ results: 1 }, { results: 5000 }, { page: 10_000 }])("is made for %p", (change) => {
    expect(() => pageUrl(base, { ...request, ...change })).not.toThrow();
  });
});
