import type { Hono } from "hono";
import { PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { IsOpen } from "./auth.ts";
import { type BackfillRoutesDeps, backfillRoutes } from "./backfill-routes.ts";
import type { DocumentedTopic } from "./contracts.ts";
import { documentRoutes } from "./documents.ts";
import { createEventHub, type EventFeed } from "./event-hub.ts";
import { guardedApp, type Protection } from "./guards.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { openApiRoute } from "./openapi.ts";
import { createPage, type Page } from "./page.ts";
import { pageRoutes } from "./page-routes.ts";
import { type PipelineDeps, pipelineRoutes } from "./pipeline-routes.ts";
import { problem } from "./problem.ts";
import { runRoutes } from "./run-routes.ts";
import { type RunRoutesDeps, runsRoutes } from "./runs-routes.ts";
import { type ScheduleDesk, scheduleRoutes } from "./schedule-routes.ts";
import { createSessions } from "./session.ts";
import { sessionRoutes } from "./session-routes.ts";

/** What the routes show and change. */
export interface AppDeps extends RunRoutesDeps, PipelineDeps, BackfillRoutesDeps {
  readonly schedule: ScheduleDesk;
  /** Told to those who build on it. */
  readonly topic: DocumentedTopic;
  /** Whether its neighbours answer, for `/readyz`. */
  readonly checks: Readiness["checks"];
  readonly page: Page;
  readonly http: Protection;
  readonly log: Log;
}

/** The HTTP API with the hub of its events: what a process serves, and what it runs beside that. */
export function createService({
  events: feed,
  ...deps
}: Omit<AppDeps, "events" | "page"> & { readonly events: EventFeed }) {
  const events = createEventHub({ feed, pipeline: deps.pipeline, log: deps.log });
  const { fetch } = createApp({ ...deps, events, page: createPage() });
  return { fetch, run: events.run };
}

/** The HTTP API of the service. Listens to nothing. */
export function createApp(deps: AppDeps): Hono {
  const { http, log } = deps;
  const sessions = createSessions(http.token);
  const app = guardedApp(http, { sessions, isOpen: isSignIn });
  app.route("/", healthRoutes(deps));
  app.route("/", sessionRoutes(http.token, sessions));
  app.route("/", runsRoutes(deps));
  app.route("/", runRoutes(deps));
  app.route("/", scheduleRoutes(deps.schedule));
  app.route("/", backfillRoutes(deps));
  app.route("/", pipelineRoutes(deps));
  app.route("/", documentRoutes(deps.topic));
  app.route("/", pageRoutes(deps.page));
  app.route("/", openApiRoute(app, http));

  app.notFound((c) => problem(c, { status: 404, title: "No such page", detail: c.req.path }));
  app.onError((error, c) => {
    if (error instanceof PipelineError && error.retryable) {
      return problem(c, { status: 503, title: "Not ready", detail: log.conceal(error.message) });
    }
    if (error instanceof PipelineError && error.code in ours) {
      const { status, title } = ours[error.code as keyof typeof ours];
      return problem(c, { status, title, detail: log.conceal(error.message) });
    }
    log.error({ path: c.req.path, error: Bun.inspect(error) }, "request failed");
    return problem(c, { status: 500, title: "A fault of ours; the log says more" });
  });
  return app;
}

/** What a browser needs before it is signed in: the page without any data, and the way to sign in. */
function isSignIn({ method, path }: Parameters<IsOpen>[0]): boolean {
  if (path === "/api/session") return true;
  return (method === "GET" || method === "HEAD") && /^\/(assets\/[\w.-]+)?$/.test(path);
}

/** What a flow refuses because of how things stand, or because of what was asked. */
const ours = {
  refused: { status: 409, title: "Not as things stand" },
  usage: { status: 422, title: "Not to be done" },
} as const;
