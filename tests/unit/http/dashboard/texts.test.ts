import { describe, expect, test } from "bun:test";
import { numberOf } from "../../../../lib/http/dashboard/runs/typed.ts";
import {
  changesOf,
  rebased,
  type Settings,
  textsOf,
  wordsFor,
} from "../../../../lib/http/dashboard/schedule/texts.ts";

const from: Settings = {
  ...{ cron: "0 * * * *", timezone: "UTC", catchup: false, maxActiveRuns: 1, overlap: "queue" },
};

describe("the form of the schedule", () => {
  test("asks for what it says otherwise, and for nothing else", () => {
    const texts = textsOf(from);
    expect(changesOf(texts, from)).toEqual({});
    expect(changesOf({ ...texts, catchup: "true", maxActiveRuns: "3" }, from)).toEqual({
      ...{ catchup: true, maxActiveRuns: 3 },
    });
    expect(changesOf({ ...texts, cron: "", maxActiveRuns: "many" }, from)).toEqual({
      ...{ cron: "", maxActiveRuns: "many" },
    });
    expect(changesOf({ ...texts, maxActiveRuns: "" }, from)).toEqual({ maxActiveRuns: "" });
  });

  test("keeps what was typed, and takes the rest from who has changed it meanwhile", () => {
    const theirs: Settings = { ...from, cron: "0 6 * * *", overlap: "skip" };
    const typed = { ...textsOf(from), overlap: "skip", timezone: "Asia/Tokyo" };
    const { merged, changed, kept } = rebased(typed, { from, theirs });
    expect(merged).toEqual({ ...textsOf(theirs), timezone: "Asia/Tokyo" });
    expect(kept).toEqual(["timezone"]);
    expect(changesOf(merged, theirs)).toEqual({ timezone: "Asia/Tokyo" });
    expect(wordsFor(changed, theirs)).toBe(
      "Cron is now 0 6 * * *, Overlap is now skip: it is skipped",
    );
    expect(wordsFor([], theirs)).toBe("it is paused or goes on");
  });
});

test("a number that was typed is one in the body; what is none goes as it is", () => {
  expect(numberOf("results", " 12 ")).toEqual({ results: 12 });
  expect(numberOf("results", "1.5")).toEqual({ results: 1.5 });
  expect(numberOf("results", "-1")).toEqual({ results: -1 });
  expect(numberOf("results", "12 users")).toEqual({ results: "12 users" });
  expect(numberOf("results", "  ")).toEqual({});
});
