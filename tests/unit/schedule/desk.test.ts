import { expect, test } from "bun:test";
import { createScheduleDesk } from "../../../lib/schedule/desk.ts";

const now = new Date("2026-01-01T10:30:00Z");
const settings = { cron: "0 * * * *", timezone: "UTC", catchup: false, maxActiveRuns: 1 };
const standing = {
  ...settings,
  overlap: "queue",
  version: 1,
  watermark: now,
  now,
  active: 0,
} as const;

function desk({ paused }: { readonly paused: boolean }) {
  return createScheduleDesk({
    standing: async () => ({ ...standing, paused }),
    change: async () => undefined,
  });
}

test("the next times are those of the schedule as it stands; none while it is paused", async () => {
  expect(await desk({ paused: false }).next(2)).toEqual([
    ...["2026-01-01T11:00:00.000Z", "2026-01-01T12:00:00.000Z"],
  ]);
  expect(await desk({ paused: true }).next(2)).toEqual([]);
});

test("those of another cron expression or time zone are told also while it is paused", async () => {
  const { next } = desk({ paused: true });
  expect(await next(1, { cron: "0 6 * * *" })).toEqual(["2026-01-02T06:00:00.000Z"]);
  expect(await next(1, { cron: "0 6 * * *", timezone: "Asia/Tokyo" })).toEqual([
    "2026-01-01T21:00:00.000Z",
  ]);
  expect(await next(1, { timezone: "Asia/Kolkata" })).toEqual(["2026-01-01T11:30:00.000Z"]);
});
