import type { Schedule, Standing } from "../../lib/domain/schedule.ts";
import type { ScheduledRequest, ScheduleStore } from "../../lib/schedule/scheduler.ts";
import { createFakeBell } from "./bell.ts";

export interface MadeRun extends ScheduledRequest {
  readonly logicalTime: string;
  readonly state: "queued" | "skipped";
  readonly error: string | null;
}

export interface FakeSchedule extends ScheduleStore {
  readonly made: readonly MadeRun[];
  /** Sets what is given: settings, the clock, the runs that are active. */
  set(changes: Partial<Standing>): void;
}

export function createFakeSchedule(standing: Omit<Standing, "version">): FakeSchedule {
  const bell = createFakeBell();
  const made: MadeRun[] = [];
  let at: Standing = { ...standing, version: 1 };
  return {
    made,
    set: (changes) => {
      at = { ...at, ...changes, version: at.version + (isChange(changes) ? 1 : 0) };
      bell.ring();
    },
    standing: async () => at,
    move: async (from, { logicalTimes, skipped, watermark }, request) => {
      if (from.version !== at.version || from.watermark.getTime() !== at.watermark.getTime())
        return false;
      for (const time of logicalTimes) {
        const logicalTime = time.toISOString();
        if (made.some((run) => run.logicalTime === logicalTime)) continue;
        const state = skipped === null ? "queued" : "skipped";
        made.push({ logicalTime, state, error: skipped, ...request });
      }
      at = { ...at, watermark };
      return true;
    },
    wait: (signal) => bell.wait(signal),
  };
}

function isChange(changes: Partial<Schedule>): boolean {
  return ["cron", "timezone", "paused", "catchup", "maxActiveRuns", "overlap"].some(
    (setting) => setting in changes,
  );
}
