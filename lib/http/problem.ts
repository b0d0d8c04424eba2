import type { Context } from "hono";

/** What went wrong, as `application/problem+json` (RFC 9457) says it. */
export interface Problem {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 422 | 500 | 503;
  readonly title: string;
  readonly detail?: string;
  /** Each field that is wrong: its path, and what is wrong with it. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  /** What the service waits for: what, since when, and why. */
  readonly waitingFor?: readonly { readonly what: string; readonly since: string }[];
}

export function problem(c: Context, what: Problem): Response {
  return c.body(JSON.stringify({ type: "about:blank", ...what }), what.status, {
    "content-type": "application/problem+json",
  });
}
