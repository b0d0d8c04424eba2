import { describe, expect, test } from "bun:test";
import { dueTick, nextTick, ticksBetween } from "../../../lib/schedule/ticks.ts";

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

/* As croner documents: README says the same. */
describe("when the clocks change", () => {
  const changes = [
    ["Europe/Berlin", "2026-03-29"],
    ["Europe/Berlin", "2026-10-25"],
    ["America/New_York", "2026-03-08"],
    ["America/New_York", "2026-11-01"],
    ["Australia/Lord_Howe", "2026-10-04"],
    ["Australia/Lord_Howe", "2026-04-05"],
  ] as const;

  // Lord Howe's clocks change by half an hour.
  test.each([
    ["Europe/Berlin", "2026-03-29T00:00:00Z", ["00:00", "01:00", "02:00", "03:00"]],
    ["Europe/Berlin", "2026-10-25T00:00:00Z", ["00:00", "01:00", "02:00", "03:00"]],
    ["America/New_York", "2026-03-08T06:00:00Z", ["06:00", "07:00", "08:00", "09:00"]],
    ["America/New_York", "2026-11-01T05:00:00Z", ["05:00", "06:00", "07:00", "08:00"]],
    ["Australia/Lord_Howe", "2026-10-03T14:00:00Z", ["14:30", "16:00", "17:00", "18:00"]],
    ["Australia/Lord_Howe", "2026-04-04T14:00:00Z", ["14:00", "15:30", "16:30", "17:30"]],
  ] as const)("each full hour of the clock in %s from %s on is a tick", (zone, from, hours) => {
    const before = new Date(Date.parse(from) - 1).toISOString();
    expect(ticks("0 * * * *", zone, before, 4).map((time) => time?.slice(11, 16))).toEqual([
      ...hours,
    ]);
  });

  test.each([
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"],
    ["30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"],
    ["15 2 * * *", "Australia/Lord_Howe", "2026-10-02T18:00:00Z", "2026-10-03T15:30:00Z"],
  ])("%s in %s, which does not come that day, is a tick at the end of the gap", (...row) => {
    const [cron, zone, from, expected] = row;
    const [skipped, next] = ticks(cron, zone, from, 2);
    expect(skipped).toBe(expected);
    expect(next?.slice(0, 10)).not.toBe(expected.slice(0, 10));
  });

  test.each([
    ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"],
    ["30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"],
    ["45 1 * * *", "Australia/Lord_Howe", "2026-04-03T18:00:00Z", "2026-04-04T14:45:00Z"],
  ])("%s in %s, which comes twice that day, is a tick at the first of them", (...row) => {
    const [cron, zone, from, expected] = row;
    const [twice, next] = ticks(cron, zone, from, 2);
    expect(twice).toBe(expected);
    expect(Date.parse(next ?? "") - Date.parse(expected)).toBeGreaterThan(24 * 3_600_000);
  });

  test.each(changes)("in %s on %s the newest tick is found as one by one", (timezone, day) => {
    const start = new Date(Date.parse(day) - 12 * 3_600_000);
    const last = new Date(Date.parse(day) + 18 * 3_600_000);
    for (const cron of ["0 * * * *", "*/20 1-3 * * *", "30 2 * * *", "0 2 * * *", "30 1 * * *"]) {
      const all = ticksBetween({ cron, timezone }, { after: start, last, limit: 1000 });
      expect(all).toEqual(all.toSorted((a, b) => a.getTime() - b.getTime()));
      for (const [at, tick] of all.entries()) {
        const until = all[at + 1] ?? new Date(last.getTime() + 1000);
        expect(dueTick({ cron, timezone }, start, tick)).toEqual(tick);
        const before = new Date(until.getTime() - 1000);
        expect(dueTick({ cron, timezone }, start, before)).toEqual(tick);
      }
    }
  });

  test("a leap day comes every fourth year, in every zone on its own day", () => {
    expect(ticks("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2)).toEqual([
      ...["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
    ]);
    expect(ticks("0 0 29 2 *", "Europe/Berlin", "2026-01-01T00:00:00Z", 1)).toEqual([
      "2028-02-28T23:00:00Z",
    ]);
    expect(ticks("0 0 29 2 *", "America/New_York", "2026-01-01T00:00:00Z", 1)).toEqual([
      "2028-02-29T05:00:00Z",
    ]);
    expect(ticks("30 2 * * *", "UTC", "2028-02-28T12:00:00Z", 2)).toEqual([
      ...["2028-02-29T02:30:00Z", "2028-03-01T02:30:00Z"],
    ]);
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
