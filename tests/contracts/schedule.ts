import { describe, expect, test } from "bun:test";
import type { Schedule } from "../../lib/domain/schedule.ts";
import type { ScheduleStore } from "../../lib/schedule/scheduler.ts";
import { failureOf } from "../failure.ts";

/** A schedule whose watermark is at `start`, and the ways to look into it. */
export interface OpenSchedule extends AsyncDisposable {
  readonly store: ScheduleStore;
  change(settings: Partial<Schedule>): Promise<unknown>;
  /** The logical times that have a run, with its state and why it was skipped. */
  made(): Promise<readonly (readonly [string, string, string | null])[]>;
}

export const start = new Date("2026-01-01T10:00:00.000Z");

/** What every store of the schedule must do, the fake as well as the real one. */
export function scheduleContract(name: string, open: () => Promise<OpenSchedule>): void {
  const request = { results: 5, nat: ["gb"] };
  const eleven = new Date("2026-01-01T11:00:00.000Z");
  const noon = new Date("2026-01-01T12:00:00.000Z");
  const queue = (...logicalTimes: Date[]) => ({
    ...{ logicalTimes, skipped: null, watermark: logicalTimes.at(-1) ?? noon },
  });

  describe(name, () => {
    test("the watermark moves together with the runs that are made", async () => {
      await using it = await open();
      const from = await it.store.standing();
      expect(from).toMatchObject({ watermark: start, active: 0 });
      expect(await it.store.move(from, queue(eleven, noon), request)).toBe(true);
      expect((await it.store.standing()).watermark).toEqual(noon);
      expect(await it.made()).toEqual([
        [eleven.toISOString(), "queued", null],
        [noon.toISOString(), "queued", null],
      ]);
    });

    test("of those who decide the same only one moves it", async () => {
      await using it = await open();
      const from = await it.store.standing();
      const all = [1, 2, 3, 4].map(() => it.store.move(from, queue(eleven), request));
      expect((await Promise.all(all)).toSorted()).toEqual([false, false, false, true]);
      expect(await it.made()).toHaveLength(1);
    });

    test("who decided by what has changed since does nothing", async () => {
      await using it = await open();
      const from = await it.store.standing();
      await it.change({ maxActiveRuns: 3 });
      expect(await it.store.move(from, queue(eleven), request)).toBe(false);
      expect(await it.made()).toEqual([]);
      const again = await it.store.standing();
      expect(again).toMatchObject({ watermark: start, maxActiveRuns: 3 });
      expect(await it.store.move(again, queue(eleven), request)).toBe(true);
    });

    test("times are passed over without a run", async () => {
      await using it = await open();
      expect(await it.store.move(await it.store.standing(), queue(), request)).toBe(true);
      expect(await it.made()).toEqual([]);
      expect((await it.store.standing()).watermark).toEqual(noon);
    });

    test("a time that is skipped has a run that says why", async () => {
      await using it = await open();
      const skip = { ...queue(eleven), skipped: "too many" };
      expect(await it.store.move(await it.store.standing(), skip, request)).toBe(true);
      expect(await it.made()).toEqual([[eleven.toISOString(), "skipped", "too many"]]);
    });

    test("a wait ends at a change, and with the signal's reason", async () => {
      await using it = await open();
      const stop = new AbortController();
      const waited = it.store.wait(stop.signal, 1000);
      await it.change({ paused: true });
      await waited;
      const stopped = failureOf(it.store.wait(stop.signal, 1000));
      stop.abort(new DOMException("stopped", "AbortError"));
      expect((await stopped).message).toBe("stopped");
    });
  });
}
