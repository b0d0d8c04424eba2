import type { Hono } from "hono";
import { PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { guardedApp, type Protection } from "./guards.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { openApiRoute } from "./openapi.ts";
import { type PipelineDeps, pipelineRoutes } from "./pipeline-routes.ts";
import { problem } from "./problem.ts";
import { type RunRoutesDeps, runRoutes } from "./runs-routes.ts";
import { type ScheduleDesk, scheduleRoutes } from "./schedule-routes.ts";

/** What the routes show and change. */
export interface AppDeps extends RunRoutesDeps, PipelineDeps {
  readonly schedule: ScheduleDesk;
  /** Whether its neighbours answer, for `/readyz`. */
  readonly checks: Readiness["checks"];
  readonly http: Protection;
  readonly log: Log;
}

/** The HTTP API of the service. Listens to nothing. */
export function createApp(deps: AppDeps): Hono {
  const { http, log } = deps;
  const app = guardedApp(http);
  app.route("/", healthRoutes(deps));
  app.route("/", runRoutes(deps));
  app.route("/", scheduleRoutes(deps.schedule));
  app.route("/", pipelineRoutes(deps));
  app.route("/", openApiRoute(app, http));

  app.notFound((c) => problem(c, { status: 404, title: "No such page", detail: c.req.path }));
  app.onError((error, c) => {
    if (error instanceof PipelineError && error.retryable) {
      return problem(c, { status: 503, title: "Not ready", detail: log.conceal(error.message) });
    }
    log.error({ path: c.req.path, error: Bun.inspect(error) }, "request failed");
    return problem(c, { status: 500, title: "A fault of ours; the log says more" });
  });
  return app;
}
