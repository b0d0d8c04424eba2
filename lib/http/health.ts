import { Hono } from "hono";
import { messageChain } from "../errors.ts";
import { problem } from "./problem.ts";

/** The consumer's own port: is it alive, and can it do its work. */
export function createHealth(ready: () => Promise<void>): Hono {
  const app = new Hono();
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", async (c) => {
    await ready();
    return c.json({ status: "ok" });
  });
  app.notFound((c) => problem(c, { status: 404, title: "No such page", detail: c.req.path }));
  app.onError((error, c) =>
    problem(c, { status: 503, title: "Not ready", detail: messageChain(error).join(": ") }),
  );
  return app;
}
