import { describe, expect, test } from "bun:test";
import {
  ago,
  axisCount,
  duration,
  milliseconds,
  percent,
  rate,
  utc,
} from "../../../lib/http/dashboard/format.ts";

/* Numbers are as the machine's locale writes them: what is tested is alike in all. */

describe("the page writes", () => {
  test.each([
    [0.0008, /^0\D8 ms$/],
    [0.85, /^850 ms$/],
    [0.9999, /^1 s$/],
    [4.25, /^4\D3 s$/],
    [59.4, /^59 s$/],
    [59.7, /^1 min$/],
    [200, /^3 min 20 s$/],
    [3599.6, /^1 h$/],
    [5400, /^1 h 30 min$/],
    [86_399, /^1 d$/],
    [100_000, /^1 d 4 h$/],
    [null, /^–$/],
  ])("%p seconds as %p", (seconds, text) => {
    expect(duration(seconds)).toMatch(text);
  });

  test.each([
    [0, "0/s"],
    [12.6, "13/s"],
    [null, "–"],
    [undefined, "–"],
  ])("a rate of %p as %p", (perSecond, text) => {
    expect(rate(perSecond)).toBe(text);
  });

  test.each([
    [125, "125"],
    [7, "7"],
    [1500, /^1\D5K$/i],
  ])("%p at an axis as %p", (value, text) => {
    expect(axisCount(value)).toMatch(text);
  });

  test("small times with two digits", () => {
    expect(milliseconds(156.4)).toBe("156");
    expect(milliseconds(1.234)).toMatch(/^1\D2$/);
  });

  test("all of something only when it is all", () => {
    expect(percent(0.99999)).toMatch(/^99\D9%$/);
    expect(percent(1)).toBe("100%");
    expect(percent(7)).toBe("100%");
  });

  test("times in UTC, and how long ago they were", () => {
    expect(utc("2026-01-31T13:00:05.999+01:00")).toBe("2026-01-31 12:00:05 UTC");
    const now = Date.parse("2026-01-31T12:00:00Z");
    const at = (seconds: number) => ago(new Date(now - seconds * 1000).toISOString(), now);
    expect([0, 12.7, 90, 7200, 200_000, -300].map(at)).toEqual([
      ...["just now", "12 s ago", "1 min ago", "2 h ago", "2 d ago", "in 5 min"],
    ]);
  });
});
