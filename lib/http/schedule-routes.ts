import { Hono } from "hono";
import type * as v from "valibot";
import { ScheduleAnswer } from "./answers.ts";
import { described } from "./describe.ts";

/** The schedule, as those who look at it see it. */
export interface ScheduleDesk {
  get(): Promise<v.InferOutput<typeof ScheduleAnswer>>;
}

/** `/api/schedule`: when runs are made. */
export function scheduleRoutes(schedule: ScheduleDesk): Hono {
  const app = new Hono();
  app.get(
    "/api/schedule",
    described({
      tag: "schedule",
      summary: "The schedule as it stands",
      answers: { 200: ["The schedule", ScheduleAnswer] },
    }),
    async (c) => c.json(await schedule.get()),
  );
  return app;
}
