import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { problem } from "./problem.ts";

/** Without a token nothing is asked for; with one, all but the health checks need it. */
export function bearerToken(token: string): MiddlewareHandler {
  return async (c, next) => {
    const open = token === "" || c.req.path === "/healthz" || c.req.path === "/readyz";
    const given = c.req.header("authorization")?.match(/^Bearer +(\S+)$/i)?.[1] ?? "";
    if (open || equal(given, token)) return next();
    return problem(c, {
      status: 401,
      title: "A token is needed",
      detail: "send it as: Authorization: Bearer <API_TOKEN>",
    });
  };
}

/** Compares in constant time: digests are of one length, whatever was given. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
