import { describe, expect, test } from "bun:test";
import { parseLogId, retryDelayMs } from "../../../lib/domain/attempt.ts";

describe("the delay before the next attempt", () => {
  const delays = (exponential: boolean, random: number) =>
    [1, 2, 3, 4, 100].map((failures) =>
      retryDelayMs(failures, { delayMs: 1000, exponential, maxDelayMs: 5000 }, () => random),
    );

  test("doubles with each failure in a row, up to the maximum", () => {
    expect(delays(true, 1)).toEqual([1000, 2000, 4000, 5000, 5000]);
  });

  test("stays the same without backoff", () => {
    expect(delays(false, 1)).toEqual([1000, 1000, 1000, 1000, 1000]);
  });

  test("is up to a half shorter, by chance", () => {
    expect(delays(true, 0)).toEqual([500, 1000, 2000, 2500, 2500]);
  });
});

describe("the id of a line", () => {
  test("names its attempt and its number", () => {
    expect(parseLogId("2.17")).toEqual({ attempt: 2, line: 17 });
  });

  test.each(["", "2", "2.", ".17", "2.17.1", "-1.2", "2.1234567890", "a.b"])("is not %j", (id) => {
    expect(parseLogId(id)).toBeUndefined();
  });
});
