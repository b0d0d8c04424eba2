import { Hono } from "hono";
import * as v from "valibot";
import { described } from "./describe.ts";

/** The figures of the process in Prometheus' text format. */
export interface MetricsText {
  readonly contentType: string;
  /** Waits for nothing that is down, or not for long. */
  text(): Promise<string>;
}

/** `/metrics`, for Prometheus. */
export function metricsRoutes(metrics: MetricsText): Hono {
  const app = new Hono();
  const route = described({
    tag: "service",
    summary: "The figures of this process, for Prometheus",
    answers: { 200: ["In its text format", v.string()] },
    media: "text/plain",
  });
  app.get("/metrics", route, async (c) =>
    c.body(await metrics.text(), 200, { "content-type": metrics.contentType }),
  );
  return app;
}
