import { Hono } from "hono";
import { AttemptsAnswer, LogAnswer, RunAnswer } from "./answers.ts";
import { described } from "./describe.ts";
import { problem } from "./problem.ts";
import { Id, LogQuery, Retry } from "./requests.ts";
import type { RunRoutesDeps } from "./runs-routes.ts";
import { valid } from "./valid.ts";

const tag = "runs";
const path = "/api/runs/:id{[0-9]{1,15}}";
const unknown = { 404: "There is no such run" };
const noSuchRun = { status: 404, title: "No such run" } as const;

/** `/api/runs/ID`: one run, what it tells, and what is done with it. */
export function runRoutes({ runs, logs }: Pick<RunRoutesDeps, "runs" | "logs">): Hono {
  const app = new Hono();

  app.get(
    path,
    described({
      tag,
      summary: "One run",
      answers: { 200: ["The run", RunAnswer] },
      problems: unknown,
    }),
    valid("param", Id, "Not an id"),
    async (c) => {
      const run = await runs.get(c.req.valid("param").id);
      return run ? c.json(run) : problem(c, noSuchRun);
    },
  );

  app.post(
    `${path}/retry`,
    described({
      tag,
      summary: "Tries a run again that has ended",
      answers: { 202: ["The run, queued: it goes on after its last committed page", RunAnswer] },
      problems: { ...unknown, 409: "It has not ended, or has succeeded", 422: "Not a retry" },
    }),
    valid("param", Id, "Not an id"),
    valid("json", Retry, "Not a retry", { optional: true }),
    async (c) => {
      const run = await runs.retry(c.req.valid("param").id, c.req.valid("json"));
      return run ? c.json(run, 202) : problem(c, noSuchRun);
    },
  );

  app.post(
    `${path}/cancel`,
    described({
      tag,
      summary: "Ends a run that waits or is performed",
      answers: { 202: ["The run: cancelled, or asked to end", RunAnswer] },
      problems: { ...unknown, 409: "It has ended already" },
    }),
    valid("param", Id, "Not an id"),
    async (c) => {
      const run = await runs.cancel(c.req.valid("param").id);
      return run ? c.json(run, 202) : problem(c, noSuchRun);
    },
  );

  app.get(
    `${path}/attempts`,
    described({
      tag,
      summary: "The attempts of a run, the first one first",
      answers: { 200: ["What became of each", AttemptsAnswer] },
      problems: unknown,
    }),
    valid("param", Id, "Not an id"),
    async (c) => {
      const { id } = c.req.valid("param");
      const attempts = await logs.attempts(id);
      if (attempts.length === 0 && !(await runs.get(id))) return problem(c, noSuchRun);
      return c.json({ attempts });
    },
  );

  app.get(
    `${path}/log`,
    described({
      tag,
      summary: "What the attempts of a run tell, line by line",
      answers: { 200: ["Lines, and where to go on; events tell of them live", LogAnswer] },
      problems: { ...unknown, 422: "Not a query" },
    }),
    valid("param", Id, "Not an id"),
    valid("query", LogQuery, "Not a query"),
    async (c) => {
      const { id } = c.req.valid("param");
      const { attempt, cursor, limit } = c.req.valid("query");
      const found = await logs.read(id, {
        // One more than asked for tells whether there are more.
        limit: limit + 1,
        ...(attempt === undefined ? {} : { attempt }),
        ...(cursor === undefined ? {} : { after: cursor }),
      });
      if (found.length === 0 && !(await runs.get(id))) return problem(c, noSuchRun);
      const lines = found.slice(0, limit);
      const next = lines.at(-1)?.id ?? (cursor ? `${cursor.attempt}.${cursor.line}` : null);
      return c.json({ lines, next, more: found.length > limit });
    },
  );
  return app;
}
