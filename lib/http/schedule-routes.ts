import { Hono } from "hono";
import type * as v from "valibot";
import type { Schedule, ScheduleChanges } from "../domain/schedule.ts";
import { ScheduleChange } from "../schedule-request.ts";
import { NextTimesAnswer, ScheduleAnswer } from "./answers.ts";
import { described } from "./describe.ts";
import { problem } from "./problem.ts";
import { NextTimes, ScheduleHeaders } from "./requests.ts";
import { valid } from "./valid.ts";

type ScheduleView = v.InferOutput<typeof ScheduleAnswer>;

/** The schedule, as those who look at it and change it see it. */
export interface ScheduleDesk {
  get(): Promise<ScheduleView>;
  /** Undefined, and nothing is changed, when the version is not the one expected. */
  change(
    settings: ScheduleChanges,
    options?: { readonly version?: number },
  ): Promise<ScheduleView | undefined>;
  /** The next logical times; none while it is paused, unless it is asked what changes would give. */
  next(
    count: number,
    changes?: Partial<Pick<Schedule, "cron" | "timezone">>,
  ): Promise<readonly string[]>;
}

const tag = "schedule";
const answers = { 200: ["The schedule", ScheduleAnswer] } as const;
const headers = { 200: { etag: "Names what can be changed, as it stands: see If-Match" } };

/** `/api/schedule`: when runs are made. */
export function scheduleRoutes(schedule: ScheduleDesk): Hono {
  const app = new Hono();
  app.get(
    "/api/schedule",
    described({ tag, summary: "The schedule as it stands", answers, headers }),
    async (c) => {
      const now = await schedule.get();
      return c.json(now, 200, { etag: etagOf(now) });
    },
  );
  app.get(
    "/api/schedule/next",
    described({
      tag,
      summary: "The next logical times, or those of other settings",
      answers: { 200: ["The times, the first one first", NextTimesAnswer] },
      problems: { 422: "Not a query" },
    }),
    valid("query", NextTimes, "Not a query"),
    async (c) => {
      const { limit, cron, timezone } = c.req.valid("query");
      const changes = { ...(cron ? { cron } : {}), ...(timezone ? { timezone } : {}) };
      return c.json({ times: await schedule.next(limit, changes) });
    },
  );
  app.patch(
    "/api/schedule",
    described({
      ...{ tag, answers, headers },
      summary: "Changes the schedule, for all instances at once",
      problems: { 412: "It was changed meanwhile", 415: "Not JSON", 422: "Not a change" },
    }),
    valid("header", ScheduleHeaders, "Not an ETag"),
    valid("json", ScheduleChange, "Not a change"),
    async (c) => {
      const match = c.req.valid("header")["if-match"] ?? "*";
      const expected = match === "*" ? {} : { version: Number(match.slice(1, -1)) };
      const now = await schedule.change(c.req.valid("json"), expected);
      if (now) return c.json(now, 200, { etag: etagOf(now) });
      return problem(c, { status: 412, title: "The schedule was changed meanwhile" });
    },
  );
  return app;
}

function etagOf({ version }: ScheduleView): string {
  return `"${version}"`;
}
