import { describe, expect, test } from "bun:test";
import { followProgress } from "../../../../lib/http/dashboard/runs/progress.ts";
import { aRun } from "../../../runs.ts";

const running = (fetched: number) =>
  aRun({ id: 1, state: "running", results: 10_000, fetched, seconds: null });

describe("the progress of a run", () => {
  test("has no rate before two pages have come", () => {
    const follow = followProgress();
    expect(follow(running(1000), 0)).toEqual({ done: 0.1, perSecond: null, secondsLeft: null });
  });

  test("has the rate of the last seconds, and the time that is left at that", () => {
    const follow = followProgress();
    follow(running(0), 0);
    expect(follow(running(1000), 1000)).toEqual({ done: 0.1, perSecond: 1000, secondsLeft: 9 });
    // Nothing comes for a second.
    expect(follow(running(1000), 2000).perSecond).toBe(500);
    expect(follow(running(3000), 60_000).perSecond).toBeLessThan(60);
  });

  test("forgets the rate of before when it begins anew", () => {
    const follow = followProgress();
    follow(running(0), 0);
    follow(running(5000), 1000);
    expect(follow(running(0), 2000).perSecond).toBeNull();
  });

  test("is that of the whole when it has ended in its first attempt", () => {
    const follow = followProgress();
    expect(follow(aRun({ id: 1, seconds: 2 }), 0)).toEqual({
      ...{ done: 1, perSecond: 5, secondsLeft: null },
    });
    expect(follow(aRun({ id: 1, seconds: 2, attempt: 2 }), 0).perSecond).toBeNull();
    const failed = aRun({ id: 1, state: "failed", results: 40, seconds: 2 });
    expect(follow(failed, 0)).toMatchObject({ done: 0.25, secondsLeft: null });
  });
});
