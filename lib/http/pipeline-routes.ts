import { Hono } from "hono";
import * as v from "valibot";
import type { Pipeline } from "../domain/pipeline.ts";
import { described } from "./describe.ts";
import type { EventHub } from "./event-hub.ts";
import { PipelineAnswer } from "./pipeline-answers.ts";
import { problem } from "./problem.ts";
import { EventHeaders, EventQuery } from "./requests.ts";
import { valid } from "./valid.ts";

export interface PipelineDeps {
  /** How every station stands. */
  readonly pipeline: { now(): Promise<Pipeline> };
  readonly events: Pick<EventHub, "open">;
}

const tag = "pipeline";

/** `/api/pipeline` and `/api/events`: how everything stands, now and from now on. */
export function pipelineRoutes({ pipeline, events }: PipelineDeps): Hono {
  const app = new Hono();

  app.get(
    "/api/pipeline",
    described({
      tag,
      summary: "How every station stands: up or down, counts, rates, lag",
      answers: { 200: ["The stations", PipelineAnswer] },
    }),
    async (c) => c.json(await pipeline.now()),
  );

  app.get(
    "/api/events",
    described({
      tag,
      summary: "What changes, as server-sent events",
      media: "text/event-stream",
      answers: { 200: ["run, log, schedule, backfill, pipeline and resync events", v.string()] },
      problems: { 422: "Not a query", 503: "Too many streams are open" },
    }),
    valid("query", EventQuery, "Not a query"),
    valid("header", EventHeaders, "Not a query"),
    (c) => {
      const { types, run } = c.req.valid("query");
      const last = c.req.valid("header")["last-event-id"];
      const stream = events.open({ types, ...(run === undefined ? {} : { run }) }, last);
      if (!stream) return problem(c, { status: 503, title: "Too many streams are open" });
      // Whatever stands in between must not hold events back.
      return c.body(stream, 200, {
        ...{ "content-type": "text/event-stream", "x-accel-buffering": "no" },
      });
    },
  );
  return app;
}
