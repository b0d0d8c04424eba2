import type { Hono } from "hono";
import type { IsOpen } from "./auth.ts";
import { guardedApp } from "./guards.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { createPage, type Page } from "./page.ts";
import { pageRoutes } from "./page-routes.ts";
import { createSessions } from "./session.ts";
import { sessionRoutes } from "./session-routes.ts";

/** The guarded app of a port that browsers come to: the checks, the dashboard, and the way to sign in. */
export function browserApp(readiness: Readiness, page: Page): Hono {
  const { http } = readiness;
  const sessions = createSessions(http.token);
  const app = guardedApp(http, { sessions, isOpen: isSignIn });
  app.route("/", healthRoutes(readiness));
  app.route("/", sessionRoutes(http.token, sessions));
  app.route("/", pageRoutes(page));
  return app;
}

/** The same while a process starts: browsers see what it waits for. */
export function startingApp(readiness: Readiness): Hono {
  return browserApp(readiness, createPage());
}

/** What a browser needs before it is signed in: the page without any data, and the way to sign in. */
const isSignIn: IsOpen = ({ method, path }) => {
  if (path === "/api/session") return true;
  return (method === "GET" || method === "HEAD") && /^\/(assets\/[\w.-]+)?$/.test(path);
};
