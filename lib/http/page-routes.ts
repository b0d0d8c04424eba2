import { type Context, Hono } from "hono";
import * as v from "valibot";
import { described } from "./describe.ts";
import type { Page } from "./page.ts";
import { problem } from "./problem.ts";

/** `/`: the dashboard, and the files it is made of. They tell nothing of the data. */
export function pageRoutes(page: Page): Hono {
  const app = new Hono();
  app.get(
    "/",
    described({
      tag: "service",
      summary: "The dashboard",
      answers: { 200: ["The page", v.string()] },
      media: "text/html",
      open: true,
    }),
    (c) => file(c, page, "no-store"),
  );
  // What is under such a name never changes: another content has another name.
  app.get("/assets/:name", (c) => file(c, page, "public, max-age=31536000, immutable"));
  return app;
}

async function file(c: Context, page: Page, keep: string): Promise<Response> {
  const found = (await page.files()).get(c.req.path);
  if (!found) return problem(c, { status: 404, title: "No such page", detail: c.req.path });
  const { type, bytes, gzipped } = found;
  const small = takesGzip(c.req.header("accept-encoding") ?? "") ? gzipped : undefined;
  return c.body(small ?? bytes, 200, {
    "content-type": type,
    "cache-control": keep,
    vary: "accept-encoding",
    ...(small ? { "content-encoding": "gzip" } : {}),
  });
}

/** "gzip;q=0" refuses it. */
function takesGzip(accepted: string): boolean {
  return /(^|,)\s*gzip\s*(;\s*q=(1|0\.0*[1-9])[\d.]*)?\s*(,|$)/i.test(accepted);
}
