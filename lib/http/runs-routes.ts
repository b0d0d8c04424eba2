import { Hono } from "hono";
import type { LogPlace, RunAttempt, RunLogLine } from "../domain/attempt.ts";
import type { Run, RunFilter, RunRequest } from "../domain/run.ts";
import { seedOf } from "../domain/run.ts";
import { NewRun } from "../domain/run-request.ts";
import { parseTraceContext } from "../domain/trace-context.ts";
import { RunAnswer, RunPageAnswer } from "./answers.ts";
import { described } from "./describe.ts";
import { keyUsedBefore, requestIdOf } from "./keys.ts";
import { AskHeaders, RunList } from "./requests.ts";
import { valid } from "./valid.ts";

/** Runs, as those who look at them and ask for them see them. */
export interface RunDesk {
  create(request: RunRequest): Promise<Run>;
  get(id: number): Promise<Run | undefined>;
  list(filter: RunFilter): Promise<readonly Run[]>;
  /** Rejects with `refused` as things stand; undefined when there is none. */
  retry(id: number, options: { readonly fromStart: boolean }): Promise<Run | undefined>;
  cancel(id: number): Promise<Run | undefined>;
}

/** What became of their attempts, and what these tell. */
export interface LogDesk {
  attempts(run: number): Promise<readonly RunAttempt[]>;
  read(
    run: number,
    options: { readonly attempt?: number; readonly after?: LogPlace; readonly limit: number },
  ): Promise<readonly RunLogLine[]>;
}

export interface RunRoutesDeps {
  readonly runs: RunDesk;
  readonly logs: LogDesk;
  /** What a run asks for when its request does not say. */
  readonly defaults: Pick<RunRequest, "results" | "nat">;
}

const tag = "runs";

/** `/api/runs`: asks for runs and looks at them. */
export function runsRoutes({ runs, defaults }: RunRoutesDeps): Hono {
  const app = new Hono();

  app.post(
    "/api/runs",
    described({
      tag,
      summary: "Queues a run",
      answers: { 202: ["The run, queued", RunAnswer] },
      headers: { 202: { location: "The address of the run" } },
      problems: { 415: "Not JSON", 422: "Not a run, or the key was used for another one" },
    }),
    valid("header", AskHeaders, "Not a key"),
    valid("json", NewRun, "Not a run"),
    async (c) => {
      const { results = defaults.results, nat = defaults.nat, seed } = c.req.valid("json");
      const { "idempotency-key": key, ...context } = c.req.valid("header");
      const trace = parseTraceContext(context);
      const made = await runs.create({
        ...{ trigger: "manual", results, nat },
        ...(seed === undefined ? {} : { seed }),
        ...(key === undefined ? {} : { requestId: requestIdOf(key) }),
        ...(trace === undefined ? {} : { trace }),
      });
      const sameSeed = made.seed === (seed ?? seedOf({ id: made.id }));
      if (!sameSeed || made.results !== results || made.nat.join() !== nat.join()) {
        return keyUsedBefore(c, `run ${made.id}`);
      }
      return c.json(made, 202, { location: `/api/runs/${made.id}` });
    },
  );

  app.get(
    "/api/runs",
    described({
      tag,
      summary: "Lists runs, the newest first",
      answers: { 200: ["A page of them", RunPageAnswer] },
      problems: { 422: "Not a query" },
    }),
    valid("query", RunList, "Not a query"),
    async (c) => {
      const { limit, cursor, state, trigger, from, to } = c.req.valid("query");
      // One more than asked for tells whether there is another page.
      const found = await runs.list({
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: cursor }),
        ...(state ? { states: state } : {}),
        ...(trigger ? { triggers: trigger } : {}),
        ...(from ? { from } : {}),
        ...(to ? { to } : {}),
      });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return c.json({ runs: page, next: last ? String(last.id) : null });
    },
  );
  return app;
}
