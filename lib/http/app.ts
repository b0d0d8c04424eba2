import type { Hono } from "hono";
import { messageChain, PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { type BackfillRoutesDeps, backfillRoutes } from "./backfill-routes.ts";
import { browserApp } from "./browser-app.ts";
import type { DocumentedTopic } from "./contracts.ts";
import { documentRoutes } from "./documents.ts";
import { createEventHub, type EventFeed } from "./event-hub.ts";
import type { Protection } from "./guards.ts";
import type { Readiness } from "./health.ts";
import { type LetterDesk, letterRoutes } from "./letter-routes.ts";
import type { MetricsText } from "./metrics-routes.ts";
import { openApiRoute } from "./openapi.ts";
import { createPage, type Page } from "./page.ts";
import { type PipelineDeps, pipelineRoutes } from "./pipeline-routes.ts";
import { problem } from "./problem.ts";
import { runRoutes } from "./run-routes.ts";
import { type RunRoutesDeps, runsRoutes } from "./runs-routes.ts";
import { type ScheduleDesk, scheduleRoutes } from "./schedule-routes.ts";
import { type UserDesk, userRoutes } from "./user-routes.ts";

/** What the routes show and change. */
export interface AppDeps extends RunRoutesDeps, PipelineDeps, BackfillRoutesDeps {
  readonly schedule: ScheduleDesk;
  readonly letters: LetterDesk;
  readonly users: UserDesk;
  /** Told to those who build on it. */
  readonly topic: DocumentedTopic;
  /** Whether its neighbours answer, for `/readyz`. */
  readonly checks: Readiness["checks"];
  readonly metrics: MetricsText;
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
  const page = createPage();
  const { fetch } = createApp({ ...deps, events, page });
  const run = async (signal: AbortSignal) => {
    // Beside the work, so that the first who looks does not wait for it.
    const bundled = page.files().catch((error: unknown) => {
      deps.log.error({ reason: messageChain(error).join(": ") }, "no dashboard");
    });
    await Promise.all([events.run(signal), bundled]);
  };
  return { fetch, run };
}

/** The HTTP API of the service. Listens to nothing. */
export function createApp(deps: AppDeps): Hono {
  const { http, log } = deps;
  const app = browserApp(deps, deps.page);
  app.route("/", runsRoutes(deps));
  app.route("/", runRoutes(deps));
  app.route("/", scheduleRoutes(deps.schedule));
  app.route("/", backfillRoutes(deps));
  app.route("/", pipelineRoutes(deps));
  app.route("/", userRoutes(deps.users));
  app.route("/", letterRoutes(deps.letters));
  app.route("/", documentRoutes(deps.topic));
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

/** What a flow refuses because of how things stand, or because of what was asked. */
const ours = {
  refused: { status: 409, title: "Not as things stand" },
  usage: { status: 422, title: "Not to be done" },
} as const;
