import { createHash, timingSafeEqual } from "node:crypto";
import type { Context, HonoRequest, MiddlewareHandler } from "hono";
import { problem } from "./problem.ts";
import type { Sessions } from "./session.ts";

/** What needs no token: the health checks, and what a port says besides. */
export type IsOpen = (request: { readonly method: string; readonly path: string }) => boolean;

export interface Access {
  /** Empty: nothing is asked for. */
  readonly token: string;
  /** Absent where no browser is let in. */
  readonly sessions?: Sessions | undefined;
  readonly isOpen?: IsOpen | undefined;
}

/** With a token all but what is open needs it, or a session that it was given for. */
export function tokenOrSession({ token, sessions, isOpen }: Access): MiddlewareHandler {
  return async (c, next) => {
    const { path } = c.req;
    const check = path === "/healthz" || path === "/readyz";
    if (token === "" || check || isOpen?.(c.req) || hasBearer(c, token)) return next();
    if (await sessions?.holds(c)) {
      if (isSafe(c.req) || isFromBrowser(c.req)) return next();
      return problem(c, { status: 403, title: "No browser sends a session without its origin" });
    }
    c.header("www-authenticate", "Bearer");
    return problem(c, {
      status: 401,
      title: "A token is needed",
      detail: "send it as: Authorization: Bearer <API_TOKEN>",
    });
  };
}

/** True when the request carries the token. */
export function hasBearer(c: Context, token: string): boolean {
  return equal(c.req.header("authorization")?.match(/^Bearer +(\S+)$/i)?.[1] ?? "", token);
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
    if (isSafe(c.req) || isSameOrigin(c.req)) return next();
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

/** Changes nothing. */
function isSafe({ method }: HonoRequest): boolean {
  return ["GET", "HEAD", "OPTIONS"].includes(method);
}

/** Browsers say where a request that changes something comes from. */
function isFromBrowser(request: HonoRequest): boolean {
  return ["sec-fetch-site", "origin"].some((name) => request.header(name) !== undefined);
}

/** True for names and addresses that lead to this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Compares in constant time: digests are of one length, whatever was given. */
export function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
