import { createHash, timingSafeEqual } from "node:crypto";
import type { HonoRequest, MiddlewareHandler } from "hono";
import { problem } from "./problem.ts";

/** Without a token nothing is asked for; with one, all but the health checks need it. */
export function bearerToken(token: string): MiddlewareHandler {
  return async (c, next) => {
    const open = token === "" || c.req.path === "/healthz" || c.req.path === "/readyz";
    const given = c.req.header("authorization")?.match(/^Bearer +(\S+)$/i)?.[1] ?? "";
    if (open || equal(given, token)) return next();
    c.header("www-authenticate", "Bearer");
    return problem(c, {
      status: 401,
      title: "A token is needed",
      detail: "send it as: Authorization: Bearer <API_TOKEN>",
    });
  };
}

/**
 * Refuses requests without a proper host. With `loopback` answers only to names of this machine: a
 * page of another origin can have its own name lead here, and would then be of the same origin as
 * this service.
 */
export function knownHostOnly({ loopback }: { readonly loopback: boolean }): MiddlewareHandler {
  return async (c, next) => {
    const host = URL.parse(c.req.url)?.hostname;
    if (host === undefined) return problem(c, { status: 400, title: "Not a host name" });
    if (!loopback || isLoopback(host.replace(/^\[|\]$/g, ""))) return next();
    return problem(c, {
      status: 403,
      title: "Unknown host name",
      detail: "without API_TOKEN the service answers to localhost only",
    });
  };
}

/**
 * Refuses to change anything for a page of another origin, whatever its request looks like. Pages
 * on other ports of this machine are of another origin too.
 */
export function sameOriginOnly(): MiddlewareHandler {
  return async (c, next) => {
    const reads = ["GET", "HEAD", "OPTIONS"].includes(c.req.method);
    if (reads || isSameOrigin(c.req)) return next();
    return problem(c, { status: 403, title: "Asked for by a page of another origin" });
  };
}

/**
 * Browsers tell in Sec-Fetch-Site where a request comes from, and in Origin where they know that
 * header only; other clients send neither. `none` is the person at the browser.
 */
function isSameOrigin(request: HonoRequest): boolean {
  const site = request.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = request.header("origin");
  return origin === undefined || URL.parse(origin)?.host === request.header("host");
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
