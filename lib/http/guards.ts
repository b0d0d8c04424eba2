import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { secureHeaders } from "hono/secure-headers";
import type { Config } from "../config.ts";
import { type Access, knownHostOnly, sameOriginOnly, tokenOrSession } from "./auth.ts";
import { boundedBody } from "./body.ts";
import { problem } from "./problem.ts";

/** Who may ask: the settings that say it. */
export type Protection = Pick<Config["http"], "token" | "auth">;

/**
 * An app without routes, for every port alike: every answer, errors too, carries the headers that
 * keep browsers from misusing it, and no route hears a request that has another origin, a wrong
 * host, no token where one is needed, or a body that is too large or too slow. A port that browsers
 * sign in at says which sessions it knows, and what else is open.
 */
export function guardedApp(
  { token, auth }: Protection,
  browsers: Pick<Access, "sessions" | "isOpen"> = {},
): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    // After the rule for all else below: pages take what they need, from here alone.
    const page = c.res.headers.get("content-type")?.startsWith("text/html");
    if (page) c.header("content-security-policy", pagePolicy);
  });
  app.use(
    secureHeaders({
      xFrameOptions: "DENY",
      contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
      // Whether there is TLS is known to what stands in front; it may serve other names too.
      strictTransportSecurity: false,
    }),
  );
  app.use(async (c, next) => {
    await next();
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        c.header("allow", methods.join(", "));
        return problem(c, { status: 405, title: `${c.req.path} takes ${methods.join(", ")}` });
      },
    }),
  );
  // With `off` something in front decides who may call, and under which name.
  app.use(knownHostOnly({ loopback: token === "" && auth !== "off" }));
  app.use(sameOriginOnly());
  app.use(tokenOrSession({ token, ...browsers }));
  app.use(boundedBody());
  return app;
}

/** No script and no style stands in a page itself, and nothing comes from or goes to another host. */
const pagePolicy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:"],
  ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join("; ");
