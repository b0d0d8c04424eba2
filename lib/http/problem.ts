import type { Context } from "hono";
import { resolver } from "hono-openapi";
import * as v from "valibot";

/** What went wrong, as `application/problem+json` (RFC 9457) says it. */
export const ProblemAnswer = v.pipe(
  v.strictObject({
    type: v.literal("about:blank"),
    status: v.pipe(v.number(), v.integer()),
    title: v.string(),
    detail: v.optional(v.string()),
    errors: v.optional(
      v.pipe(
        v.array(v.strictObject({ path: v.string(), message: v.string() })),
        v.description("Each field that is wrong: its path, and what is wrong with it."),
      ),
    ),
    waitingFor: v.optional(
      v.pipe(
        v.array(
          v.strictObject({
            what: v.string(),
            since: v.pipe(v.string(), v.isoTimestamp()),
            reason: v.optional(v.string()),
          }),
        ),
        v.description("What the service waits for: what, since when, and why."),
      ),
    ),
  }),
  v.metadata({ ref: "Problem" }),
);

export interface Problem {
  readonly status:
    | (400 | 401 | 403 | 404 | 405 | 408 | 409)
    | (412 | 413 | 415 | 422 | 428 | 500 | 503);
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly waitingFor?: readonly { readonly what: string; readonly since: string }[];
}

export function problem(c: Context, what: Problem): Response {
  return c.body(JSON.stringify({ type: "about:blank", ...what }), what.status, {
    "content-type": "application/problem+json",
  });
}

/** A problem as an answer in the OpenAPI document. */
export function problemAnswer(description: string) {
  return {
    description,
    content: { "application/problem+json": { schema: resolver(ProblemAnswer) } },
  };
}
