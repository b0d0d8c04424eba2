import { Hono } from "hono";
import * as v from "valibot";
import {
  type History,
  type HistorySpan,
  mostSteps,
  stepsOf,
  usualStep,
} from "../domain/history.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { described } from "./describe.ts";
import type { EventHub } from "./event-hub.ts";
import { HistoryAnswer, PipelineAnswer } from "./pipeline-answers.ts";
import { problem } from "./problem.ts";
import { EventHeaders, EventQuery, HistoryQuery } from "./requests.ts";
import { valid } from "./valid.ts";

export interface PipelineDeps {
  /** How every station stands. */
  readonly pipeline: { now(): Promise<Pipeline> };
  readonly history: { read(span: HistorySpan): Promise<History> };
  readonly events: Pick<EventHub, "open">;
}

const tag = "pipeline";

/** `/api/pipeline`, `/api/history` and `/api/events`: how everything stands and stood. */
export function pipelineRoutes({ pipeline, history, events }: PipelineDeps): Hono {
  const app = new Hono();
  app.route("/", historyRoute(history));

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

function historyRoute(history: PipelineDeps["history"]): Hono {
  const app = new Hono();
  app.get(
    "/api/history",
    described({
      tag,
      summary: "How every station stood over time, in steps",
      answers: { 200: ["The steps", HistoryAnswer] },
      problems: { 422: "Not a query, or too many steps" },
    }),
    valid("query", HistoryQuery, "Not a query"),
    async (c) => {
      const { from, to, step } = c.req.valid("query");
      const span = spanOf({ to: to ?? new Date(), from, step });
      const steps = stepsOf(span);
      if (steps < 1 || steps > mostSteps) {
        const message = `expected a time before \`to\`, by ${mostSteps} steps at most`;
        const errors = [{ path: "from", message }];
        return problem(c, { status: 422, title: "Not a query", errors });
      }
      return c.json(await history.read(span));
    },
  );
  return app;
}

interface AskedSpan {
  readonly to: Date;
  readonly from: Date | undefined;
  readonly step: number | undefined;
}

/** Steps begin at the same times whenever they are asked for, so that plots do not flicker. */
function spanOf({ to, from = new Date(to.getTime() - hourMs), step }: AskedSpan): HistorySpan {
  const stepSeconds = step ?? Math.max(1, usualStep({ from, to }));
  const stepMs = stepSeconds * 1000;
  const begin = Math.max(0, Math.floor(from.getTime() / stepMs)) * stepMs;
  return { from: new Date(begin), to, stepSeconds };
}

const hourMs = 3_600_000;
