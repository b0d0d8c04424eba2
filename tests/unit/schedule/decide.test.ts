import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Standing } from "../../../lib/domain/schedule.ts";
import { decide, waitingRuns } from "../../../lib/schedule/decide.ts";

const at = (time: string) => new Date(`2026-01-01T${time}Z`);

/** Hourly, dealt with up to ten o'clock; five to eleven. */
const standing: Standing = {
  ...{ cron: "0 * * * *", timezone: "UTC", paused: false, catchup: false, maxActiveRuns: 1 },
  ...{ overlap: "queue", version: 1, watermark: at("10:00:00"), now: at("10:55:00"), active: 0 },
};

/** What is decided, with times as text. */
function decided(changes: Partial<Standing>) {
  const decision = decide({ ...standing, ...changes });
  if (decision === undefined) return "nothing";
  const text = (time: Date) => time.toISOString().slice(11, 16);
  const { skipped, logicalTimes, watermark } = decision;
  return { [skipped ?? "queue"]: logicalTimes.map(text), up: text(watermark) };
}

describe("without catch-up", () => {
  test("nothing is to be done before the next time has come", () => {
    expect(decided({})).toBe("nothing");
    expect(decided({ now: at("10:59:59.999") })).toBe("nothing");
  });

  test("a time is queued when it has come", () => {
    expect(decided({ now: at("11:00:00") })).toEqual({ queue: ["11:00"], up: "11:00" });
  });

  test("of those missed the newest is queued, the others are passed over", () => {
    expect(decided({ now: at("15:10:00") })).toEqual({ queue: ["15:00"], up: "15:00" });
  });

  test("what comes while it is paused is passed over", () => {
    expect(decided({ now: at("15:10:00"), paused: true })).toEqual({ queue: [], up: "15:00" });
  });

  test("nothing is to be done when the clock goes back", () => {
    expect(decided({ now: at("08:10:00") })).toBe("nothing");
  });

  test("a time that finds no room is skipped, with the reason", () => {
    const late = { now: at("11:00:00"), overlap: "skip" } as const;
    expect(decided({ ...late, active: 1 })).toEqual({
      ...{ "1 scheduled run was queued or running, maxActiveRuns is 1": ["11:00"], up: "11:00" },
    });
    expect(decided({ ...late, active: 2, maxActiveRuns: 3 })).toMatchObject({ queue: ["11:00"] });
    expect(decided({ ...late, active: 4, maxActiveRuns: 3 })).toMatchObject({
      ...{ "4 scheduled runs were queued or running, maxActiveRuns is 3": ["11:00"] },
    });
  });

  test("a queue is as long as it may be, and what comes then is skipped", () => {
    const late = { now: at("11:00:00"), overlap: "queue", maxActiveRuns: 2 } as const;
    expect(decided({ ...late, active: 2 })).toMatchObject({ queue: ["11:00"] });
    expect(decided({ ...late, active: 11 })).toMatchObject({ queue: ["11:00"] });
    expect(decided({ ...late, active: 12 })).toEqual({
      "12 scheduled runs were queued or running, maxActiveRuns is 2 and 10 may wait": ["11:00"],
      up: "11:00",
    });
  });
});

describe("with catch-up", () => {
  const catchup = true;

  test("all times missed are queued, oldest first", () => {
    expect(decided({ catchup, now: at("13:10:00") })).toEqual({
      ...{ queue: ["11:00", "12:00", "13:00"], up: "13:00" },
    });
  });

  test("as many are queued as there is room for; the others wait for it", () => {
    const behind = { catchup, now: at("23:10:00") };
    expect(decided({ ...behind, active: waitingRuns - 1 })).toEqual({
      ...{ queue: ["11:00", "12:00"], up: "12:00" },
    });
    expect(decided({ ...behind, active: waitingRuns + 1 })).toBe("nothing");
  });

  test("what comes while it is paused is for later", () => {
    const paused = { catchup, now: at("12:10:00"), paused: true };
    expect(decided(paused)).toBe("nothing");
    expect(decided({ ...paused, paused: false })).toMatchObject({ queue: ["11:00", "12:00"] });
  });

  test("and overlap skip, times missed wait for room, and one that comes on time is skipped", () => {
    const skip = { catchup, overlap: "skip", active: 1 } as const;
    expect(decided({ ...skip, now: at("12:10:00") })).toBe("nothing");
    expect(decided({ ...skip, now: at("12:10:00"), active: 0 })).toEqual({
      ...{ queue: ["11:00"], up: "11:00" },
    });
    expect(decided({ ...skip, now: at("11:00:00") })).toMatchObject({ up: "11:00" });
    expect(decided({ ...skip, now: at("11:00:00") })).not.toHaveProperty("queue");
  });
});

describe("whatever happens", () => {
  const steps = fc.array(
    fc.record({
      seconds: fc.integer({ min: 0, max: 30 }),
      ended: fc.integer({ min: 0, max: 15 }),
      paused: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  const settings = fc.record({
    catchup: fc.boolean(),
    overlap: fc.constantFrom("skip", "queue"),
    maxActiveRuns: fc.integer({ min: 1, max: 4 }),
  });
  const calm = { seconds: 0, ended: 15, paused: false };

  test("no time comes twice or out of order, and with catch-up and a queue none is left out", () => {
    fc.assert(
      fc.property(settings, steps, (settings, steps) => {
        let at: Standing = { ...standing, ...settings, cron: "*/2 * * * * *" };
        const made: number[] = [];
        const step = ({ seconds, ended, paused }: typeof calm) => {
          const active = Math.max(0, at.active - ended);
          at = { ...at, paused, active, now: new Date(at.now.getTime() + seconds * 1000) };
          const decision = decide(at);
          if (!decision) return false;
          const queued = decision.skipped === null ? decision.logicalTimes.length : 0;
          made.push(...decision.logicalTimes.map((time) => time.getTime()));
          at = { ...at, watermark: decision.watermark, active: at.active + queued };
          expect(at.active).toBeLessThanOrEqual(at.maxActiveRuns + waitingRuns);
          return true;
        };
        at = { ...at, now: at.watermark };
        for (const each of steps) step(each);
        while (step(calm)) {}
        expect(made).toEqual([...new Set(made)].toSorted((a, b) => a - b));
        if (!settings.catchup || settings.overlap === "skip") return;
        const due = (at.now.getTime() - standing.watermark.getTime()) / 2000;
        const first = standing.watermark.getTime() + 2000;
        expect(made).toEqual(Array.from({ length: Math.floor(due) }, (_, n) => first + n * 2000));
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
