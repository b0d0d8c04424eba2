import { describe, expect, test } from "bun:test";
import type { Standing } from "../../../lib/domain/schedule.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { type ScheduleStore, scheduleRuns } from "../../../lib/schedule/scheduler.ts";
import { scheduleContract, start } from "../../contracts/schedule.ts";
import { failureOf } from "../../failure.ts";
import { createFakeSchedule } from "../../fakes/schedule.ts";
import { until } from "../../until.ts";

const request = { results: 5, nat: ["gb"] };

const hourly: Omit<Standing, "version"> = {
  ...{ cron: "0 * * * *", timezone: "UTC", paused: false, catchup: false, maxActiveRuns: 1 },
  ...{ overlap: "queue", watermark: start, now: new Date(start), active: 0 },
};

scheduleContract("the fake schedule", async () => {
  const fake = createFakeSchedule(hourly);
  return {
    store: fake,
    change: async (settings) => fake.set(settings),
    made: async () => fake.made.map(({ logicalTime, state, error }) => [logicalTime, state, error]),
    [Symbol.asyncDispose]: async () => {},
  };
});

/** So many schedulers on one schedule, whose clock is moved by hand. */
function startSchedulers(count: number, wrap = (store: ScheduleStore) => store) {
  const schedule = createFakeSchedule(hourly);
  const stop = new AbortController();
  const waits: number[] = [];
  // Polled often, as the fake bell rings for one alone.
  const wait: ScheduleStore["wait"] = async (signal, withinMs) => {
    waits.push(withinMs);
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  };
  const options = { request, log, signal: stop.signal };
  const ended = Array.from({ length: count }, () =>
    failureOf(scheduleRuns(wrap({ ...schedule, wait }), options)),
  );
  return {
    schedule,
    waits,
    times: () => schedule.made.map(({ logicalTime }) => logicalTime.slice(11, 19)),
    at: async (time: string, changes: Partial<Standing> = {}) => {
      schedule.set({ ...changes, now: new Date(`2026-01-01T${time}Z`) });
      const seen = waits.length + 2 * count;
      await until(() => waits.length >= seen);
    },
    end: async () => {
      stop.abort(new DOMException("stopped", "AbortError"));
      return (await Promise.all(ended)).map(({ message }) => message);
    },
  };
}

describe("the scheduler", () => {
  test("makes one run at each logical time, however many instances there are", async () => {
    const it = startSchedulers(3);
    await it.at("10:59:59.999");
    expect(it.schedule.made).toEqual([]);
    await it.at("11:00:00");
    await it.at("11:30:00");
    await it.at("12:00:00.001");
    expect(it.times()).toEqual(["11:00:00", "12:00:00"]);
    expect(it.schedule.made[0]).toMatchObject({ ...request, state: "queued" });
    expect(await it.end()).toEqual(["stopped", "stopped", "stopped"]);
  });

  test("waits until the next time, and a second at most", async () => {
    const it = startSchedulers(1);
    await it.at("10:59:58");
    expect(it.waits.at(-1)).toBe(1000);
    await it.at("10:59:59.600");
    expect(it.waits.at(-1)).toBe(400);
    await it.end();
  });

  test("goes on making runs while there is room, when it is behind", async () => {
    const it = startSchedulers(2);
    await it.at("23:10:00", { catchup: true, active: 9 });
    expect(it.times()).toContain("11:00:00");
    await until(() => it.times().at(-1) === "23:00:00");
    expect(it.times()).toHaveLength(13);
    await it.end();
  });

  test("follows a schedule that changes while it runs", async () => {
    const it = startSchedulers(1);
    await it.at("10:00:00.500", { cron: "* * * * * *" });
    await it.at("10:00:03.995");
    expect(it.times().at(-1)).toBe("10:00:03");
    await it.end();
  });

  test("waits for a store that is down, and makes the run then", async () => {
    let failures = 0;
    const down = () => new PipelineError("unavailable", "down", { retryAfterMs: 0 });
    const it = startSchedulers(1, (store) => ({
      ...store,
      move: async (...move) => {
        if (failures++ < 3) throw down();
        return await store.move(...move);
      },
    }));
    await it.at("11:00:00");
    await until(() => it.schedule.made.length === 1);
    expect(failures).toBe(4);
    await it.end();
  });
});
