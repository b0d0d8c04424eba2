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

/**
 * Answers only to names of this machine: a page of another origin can have its own name lead here,
 * and would then be of the same origin as this service.
 */
export function loopbackHostOnly(): MiddlewareHandler {
  return async (c, next) => {
    if (isLoopback(new URL(c.req.url).hostname.replace(/^\[|\]$/g, ""))) return next();
    return problem(c, {
      status: 403,
      title: "Unknown host name",
      detail: "without API_TOKEN the service answers to localhost only",
    });
  };
}

/** True for names and addresses that lead to this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Compares in constant time: digests are of one length, whatever was given. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
