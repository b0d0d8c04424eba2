import { describe, expect, test } from "bun:test";
import { dueTick, nextTick } from "../../../lib/schedule/ticks.ts";

const utc = (cron: string) => ({ cron, timezone: "UTC" });
const iso = (date: Date | undefined) => date?.toISOString().replace(".000Z", "Z");
/** The next ticks, one after the other. */
function ticks(cron: string, timezone: string, from: string, count: number) {
  const all: (string | undefined)[] = [];
  let at: Date | undefined = new Date(from);
  for (let n = 0; n < count && at; n++) {
    at = nextTick({ cron, timezone }, at);
    all.push(iso(at));
  }
  return all;
}

describe("the next tick", () => {
  test.each([
    ["0 * * * *", "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"],
    ["0 * * * *", "2026-01-01T10:59:59.999Z", "2026-01-01T11:00:00Z"],
    ["*/5 * * * * *", "2026-01-01T10:00:01Z", "2026-01-01T10:00:05Z"],
    ["*/5 * * * * *", "2026-01-01T10:00:04.500Z", "2026-01-01T10:00:05Z"],
    ["30 4 1 1 *", "2026-06-01T00:00:00Z", "2027-01-01T04:30:00Z"],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"],
    ["0 9 * * mon-fri", "2026-01-02T09:00:00Z", "2026-01-05T09:00:00Z"],
    ["@daily", "2026-12-31T12:00:00Z", "2027-01-01T00:00:00Z"],
  ])("of %s after %s is %s", (cron, after, expected) => {
    expect(iso(nextTick(utc(cron), new Date(after)))).toBe(expected);
  });

  test("is none for a day that never comes", () => {
    expect(nextTick(utc("0 0 30 2 *"), new Date("2026-01-01T00:00:00Z"))).toBeUndefined();
  });

  test("is told in the schedule's time zone, half hours too", () => {
    expect(ticks("0 9 * * *", "Europe/Berlin", "2026-01-01T00:00:00Z", 1)).toEqual([
      "2026-01-01T08:00:00Z",
    ]);
    expect(ticks("0 9 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", 1)).toEqual([
      "2026-07-01T07:00:00Z",
    ]);
    expect(ticks("0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", 1)).toEqual([
      "2026-01-01T03:30:00Z",
    ]);
  });
});

describe("when the clocks change", () => {
  test("an hourly schedule goes on hour by hour, forward", () => {
    expect(ticks("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", 4)).toEqual([
      ...["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"],
      ...["2026-03-29T02:00:00Z", "2026-03-29T03:00:00Z"],
    ]);
  });

  test("no logical time comes twice, backward", () => {
    const all = ticks("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 6);
    expect(new Set(all).size).toBe(6);
    expect(all).toEqual(all.toSorted());
  });

  test("a daily tick in the hour that is skipped comes once that day", () => {
    const all = ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
    expect(all[0]).toStartWith("2026-03-29T01:");
    expect(all[1]).toBe("2026-03-30T00:30:00Z");
  });

  test("a daily tick in the hour that comes twice comes once that day", () => {
    const all = ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
    expect(all[0]).toStartWith("2026-10-25T");
    expect(all[1]).toBe("2026-10-26T01:30:00Z");
  });
});

describe("the tick that is due", () => {
  const at = (time: string) => new Date(`2026-01-01T${time}Z`);

  test("is none before its time", () => {
    expect(dueTick(utc("0 * * * *"), at("10:00:00"), at("10:59:59.999"))).toBeUndefined();
  });

  test("is there at its time, to the millisecond, and later", () => {
    for (const now of ["11:00:00.000", "11:00:00.001", "11:59:59.999"]) {
      expect(iso(dueTick(utc("0 * * * *"), at("10:00:00"), at(now)))).toBe("2026-01-01T11:00:00Z");
    }
  });

  test("is not the last one again", () => {
    expect(dueTick(utc("0 * * * *"), at("11:00:00"), at("11:30:00"))).toBeUndefined();
  });

  test("is the newest of those missed; the others are not made up for", () => {
    expect(iso(dueTick(utc("0 * * * *"), at("02:30:00"), at("10:10:00")))).toBe(
      "2026-01-01T10:00:00Z",
    );
    expect(iso(dueTick(utc("* * * * * *"), at("02:30:00"), at("10:10:05.5")))).toBe(
      "2026-01-01T10:10:05Z",
    );
  });

  test("is none when the clock goes back", () => {
    expect(dueTick(utc("0 * * * *"), at("11:00:00"), at("10:10:00"))).toBeUndefined();
  });

  test("is none of a schedule that has none", () => {
    expect(
      dueTick(utc("0 0 30 2 *"), at("00:00:00"), new Date("2027-01-01T00:00:00Z")),
    ).toBeUndefined();
  });

  test("is found as quickly after a year of sleep", () => {
    const started = performance.now();
    dueTick(utc("* * * * * *"), at("00:00:00"), new Date("2027-01-01T00:00:00Z"));
    // One by one they would be 31 million.
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
