import { Hono } from "hono";
import type { Backfill, BackfillRequest, BackfillRun } from "../domain/backfill.ts";
import type { RunRequest } from "../domain/run.ts";
import { parseTraceContext } from "../domain/trace-context.ts";
import { backfillRequest, NewBackfill } from "../schedule-request.ts";
import { BackfillAnswer, BackfilledAnswer, BackfillPageAnswer } from "./answers.ts";
import { described } from "./describe.ts";
import { keyUsedBefore, requestIdOf } from "./keys.ts";
import { problem } from "./problem.ts";
import { AskHeaders, CancelBackfill, Id, Page } from "./requests.ts";
import { valid } from "./valid.ts";

/** Backfills, as those who ask for them see them. */
export interface BackfillDesk {
  create(
    request: BackfillRequest,
    options: { readonly dryRun: boolean },
  ): Promise<{ readonly backfill: Backfill | null; readonly runs: readonly BackfillRun[] }>;
  get(id: number): Promise<Backfill | undefined>;
  list(options: { readonly limit: number; readonly before?: number }): Promise<readonly Backfill[]>;
  cancel(id: number, options: { readonly running: boolean }): Promise<Backfill | undefined>;
}

export interface BackfillRoutesDeps {
  readonly backfills: BackfillDesk;
  /** What its runs ask for when it does not say. */
  readonly defaults: Pick<RunRequest, "results" | "nat">;
}

const tag = "backfills";
const one = "/api/backfills/:id{[0-9]{1,15}}";
const unknown = { 404: "There is no such backfill" };
const noSuchBackfill = { status: 404, title: "No such backfill" } as const;

/** `/api/backfills`: runs for the logical times of a range. */
export function backfillRoutes({ backfills, defaults }: BackfillRoutesDeps): Hono {
  const app = new Hono();

  app.post(
    "/api/backfills",
    described({
      tag,
      summary: "Fills in a range of logical times",
      answers: {
        200: ["What would run, of a dry run or where there is nothing to do", BackfilledAnswer],
        202: ["The backfill, and its runs, queued", BackfilledAnswer],
      },
      headers: { 202: { location: "The address of the backfill" } },
      problems: { 415: "Not JSON", 422: "Not a backfill, or too many logical times" },
    }),
    valid("header", AskHeaders, "Not a key"),
    valid("json", NewBackfill, "Not a backfill"),
    async (c) => {
      const { "idempotency-key": key, ...context } = c.req.valid("header");
      const trace = parseTraceContext(context);
      const asked = c.req.valid("json");
      const request = {
        ...backfillRequest(asked, defaults),
        ...(key === undefined ? {} : { requestId: requestIdOf(key) }),
        ...(trace === undefined ? {} : { trace }),
      };
      const made = await backfills.create(request, asked);
      if (!made.backfill) return c.json(made, 200);
      if (!isAskedFor(made.backfill, request)) {
        return keyUsedBefore(c, `backfill ${made.backfill.id}`);
      }
      return c.json(made, 202, { location: `/api/backfills/${made.backfill.id}` });
    },
  );

  app.get(
    "/api/backfills",
    described({
      tag,
      summary: "Lists backfills, the newest first",
      answers: { 200: ["A page of them", BackfillPageAnswer] },
      problems: { 422: "Not a query" },
    }),
    valid("query", Page, "Not a query"),
    async (c) => {
      const { limit, cursor } = c.req.valid("query");
      const before = cursor === undefined ? {} : { before: cursor };
      const found = await backfills.list({ limit: limit + 1, ...before });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      return c.json({ backfills: page, next: last ? String(last.id) : null });
    },
  );

  app.get(
    one,
    described({
      tag,
      summary: "One backfill, with the states of its runs",
      answers: { 200: ["The backfill", BackfillAnswer] },
      problems: unknown,
    }),
    valid("param", Id, "Not an id"),
    async (c) => {
      const backfill = await backfills.get(c.req.valid("param").id);
      return backfill ? c.json(backfill) : problem(c, noSuchBackfill);
    },
  );

  app.post(
    `${one}/cancel`,
    described({
      tag,
      summary: "Cancels the runs of a backfill that wait",
      answers: { 202: ["The backfill, cancelled", BackfillAnswer] },
      problems: { ...unknown, 409: "It is done already", 422: "Not to be understood" },
    }),
    valid("param", Id, "Not an id"),
    valid("json", CancelBackfill, "Not to be understood", { optional: true }),
    async (c) => {
      const backfill = await backfills.cancel(c.req.valid("param").id, c.req.valid("json"));
      return backfill ? c.json(backfill, 202) : problem(c, noSuchBackfill);
    },
  );
  return app;
}

/** With the key of another one it is that one which comes back. */
function isAskedFor(made: Backfill, asked: BackfillRequest): boolean {
  return (
    Date.parse(made.from) === asked.from.getTime() &&
    Date.parse(made.to) === asked.to.getTime() &&
    made.reprocess === asked.reprocess &&
    made.order === asked.order &&
    made.maxActiveRuns === asked.maxActiveRuns
  );
}
