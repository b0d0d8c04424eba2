import { describe, expect, test } from "bun:test";
import type { RunRequest } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { scheduleRuns } from "../../../lib/schedule/scheduler.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";

const request = { results: 5, nat: ["gb"] };

/** A scheduler whose clock is moved by hand; it looks at it every few milliseconds, before the next second. */
async function start({
  cron = "0 * * * *",
  from = "2026-01-01T09:59:59.990Z",
  newest = undefined as Date | undefined,
} = {}) {
  const created: RunRequest[] = [];
  const stop = new AbortController();
  const it = {
    now: new Date(from),
    schedule: { cron, timezone: "UTC", paused: false },
    looks: 0,
    failures: 0,
    created,
    times: () => created.map(({ logicalTime }) => logicalTime?.toISOString()),
    /** Resolves when the clock has been looked at twice since. */
    at: async (time: string) => {
      it.now = new Date(time);
      const looks = it.looks;
      await until(() => it.looks >= looks + 2);
    },
    end: async () => {
      stop.abort(new DOMException("stopped", "AbortError"));
      return (await ended).message;
    },
  };
  const schedule = {
    newest: async () => newest,
    get: async () => {
      it.looks += 1;
      return it.schedule;
    },
  };
  const queue = {
    create: async (run: RunRequest) => {
      if (it.failures-- > 0) throw new PipelineError("unavailable", "down", { retryAfterMs: 0 });
      created.push(run);
    },
  };
  const options = { request, now: () => it.now, log, signal: stop.signal };
  const ended = failureOf(scheduleRuns(schedule, queue, options));
  await until(() => it.looks > 0);
  return it;
}

describe("the scheduler", () => {
  test("queues one run at each logical time, and none at its start", async () => {
    const it = await start();
    await it.at("2026-01-01T09:59:59.995Z");
    expect(it.created).toEqual([]);
    await it.at("2026-01-01T10:59:59.985Z");
    await it.at("2026-01-01T10:59:59.990Z");
    await it.at("2026-01-01T11:59:59.990Z");
    expect(it.created).toEqual([
      { trigger: "schedule", logicalTime: new Date("2026-01-01T10:00:00Z"), ...request },
      { trigger: "schedule", logicalTime: new Date("2026-01-01T11:00:00Z"), ...request },
    ]);
    expect(await it.end()).toBe("stopped");
  });

  test("makes up for the newest time missed while no instance ran", async () => {
    const it = await start({ newest: new Date("2026-01-01T06:00:00Z") });
    expect(it.times()).toEqual(["2026-01-01T09:00:00.000Z"]);
    await it.end();
  });

  test("queues the newest of the times missed", async () => {
    const it = await start();
    await it.at("2026-01-01T15:59:59.990Z");
    expect(it.times()).toEqual(["2026-01-01T15:00:00.000Z"]);
    await it.end();
  });

  test("queues nothing while paused, and nothing of that time afterwards", async () => {
    const it = await start();
    it.schedule = { ...it.schedule, paused: true };
    await it.at("2026-01-01T10:59:59.990Z");
    it.schedule = { ...it.schedule, paused: false };
    await it.at("2026-01-01T10:59:59.995Z");
    expect(it.times()).toEqual([]);
    await it.at("2026-01-01T11:59:59.990Z");
    expect(it.times()).toEqual(["2026-01-01T11:00:00.000Z"]);
    await it.end();
  });

  test("follows a schedule that changes while it runs", async () => {
    const it = await start();
    it.schedule = { ...it.schedule, cron: "*/1 * * * * *" };
    await it.at("2026-01-01T10:00:03.995Z");
    expect(it.times().at(-1)).toBe("2026-01-01T10:00:03.000Z");
    await it.end();
  });

  test("waits for a store that is down, and queues the run then", async () => {
    const it = await start();
    it.failures = 3;
    await it.at("2026-01-01T10:59:59.990Z");
    await until(() => it.created.length === 1);
    expect(it.times()).toEqual(["2026-01-01T10:00:00.000Z"]);
    await it.end();
  });
});
