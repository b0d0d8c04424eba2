import type { Hono } from "hono";
import * as v from "valibot";
import type { Run, RunRequest } from "../domain/run.ts";
import { invalid, NewRun } from "../domain/run-request.ts";
import { PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { guardedApp, type Protection } from "./guards.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { problem } from "./problem.ts";
import { jsonBody, RunList } from "./requests.ts";

/** What the routes show and change. */
export interface AppDeps {
  readonly runs: {
    create(request: RunRequest): Promise<Run>;
    get(id: number): Promise<Run | undefined>;
    list(options: { readonly limit: number; readonly before?: number }): Promise<readonly Run[]>;
  };
  readonly schedule: { get(): Promise<unknown> };
  /** Whether its neighbours answer, for `/readyz`. */
  readonly checks: Readiness["checks"];
  /** What a run asks for when its request does not say. */
  readonly defaults: Pick<RunRequest, "results" | "nat">;
  readonly http: Protection;
  readonly log: Log;
}

/** The HTTP API of the service. Listens to nothing. */
export function createApp({ runs, schedule, checks, defaults, http, log }: AppDeps): Hono {
  const app = guardedApp(http);
  app.route("/", healthRoutes({ log, checks, http }));

  app.post("/api/runs", async (c) => {
    if (!/^application\/json\b/i.test(c.req.header("content-type") ?? "")) {
      return problem(c, { status: 415, title: "The content type must be application/json" });
    }
    const body = v.safeParse(NewRun, await jsonBody(c));
    if (!body.success) {
      return problem(c, { status: 422, title: "Not a run", errors: invalid(body.issues) });
    }
    const { results = defaults.results, nat = defaults.nat, seed } = body.output;
    const request = { trigger: "manual", results, nat, ...(seed ? { seed } : {}) } as const;
    const made = await runs.create(request);
    return c.json(made, 202, { location: `/api/runs/${made.id}` });
  });

  app.get("/api/runs", async (c) => {
    const query = v.safeParse(RunList, c.req.query());
    if (!query.success) {
      return problem(c, { status: 422, title: "Not a query", errors: invalid(query.issues) });
    }
    const { limit, before } = query.output;
    const page = { limit: Number(limit), ...(before ? { before: Number(before) } : {}) };
    return c.json({ runs: await runs.list(page) });
  });

  app.get("/api/runs/:id{[0-9]{1,15}}", async (c) => {
    const run = await runs.get(Number(c.req.param("id")));
    return run ? c.json(run) : problem(c, { status: 404, title: "No such run" });
  });

  app.get("/api/schedule", async (c) => c.json(await schedule.get()));

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
