import type { MiddlewareHandler } from "hono";
import { describeRoute, resolver } from "hono-openapi";
import type * as v from "valibot";
import { problemAnswer } from "./problem.ts";

export interface Described {
  readonly tag: "runs" | "schedule" | "backfills" | "letters" | "pipeline" | "service";
  readonly summary: string;
  /** By status: what it means, and the schema of the JSON it comes with. */
  readonly answers: Readonly<Record<number, readonly [string, v.GenericSchema]>>;
  /** By status: what it means. The answer is a problem. */
  readonly problems?: Readonly<Record<number, string>>;
  /** By status: the headers of its answer, and what they say. */
  readonly headers?: Readonly<Record<number, Readonly<Record<string, string>>>>;
  /** What comes instead of JSON. */
  readonly media?: string;
  /** Needs no token, even where there is one. */
  readonly open?: boolean;
}

/** Describes a route in the OpenAPI document; what else may go wrong anywhere is said there too. */
export function described(route: Described): MiddlewareHandler {
  const { tag, summary, answers, problems = {}, headers = {}, open = false } = route;
  const { media = "application/json" } = route;
  const good = Object.entries(answers).map(([status, [description, schema]]) => [
    status,
    {
      description,
      content: { [media]: { schema: resolver(schema) } },
      ...(headers[Number(status)] ? { headers: headerObjects(headers[Number(status)] ?? {}) } : {}),
    },
  ]);
  const bad = Object.entries(problems).map(([status, what]) => [status, problemAnswer(what)]);
  return describeRoute({
    tags: [tag],
    summary,
    responses: {
      ...Object.fromEntries([...good, ...bad]),
      default: problemAnswer("What every route may answer: not allowed, too large, not ready"),
    },
    ...(open ? { security: [] } : {}),
  });
}

function headerObjects(headers: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [
      name,
      { description, schema: { type: "string" as const } },
    ]),
  );
}
