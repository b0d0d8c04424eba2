import { Hono } from "hono";
import * as v from "valibot";
import { asyncApi, type DocumentedTopic, userSchema } from "./contracts.ts";
import { described } from "./describe.ts";

const tag = "service";

/** What others build on, made from the schemas we judge by; and `/docs`, to try the API. */
export function documentRoutes(topic: DocumentedTopic): Hono {
  const app = new Hono();
  app.get(
    "/asyncapi.json",
    described({
      tag,
      summary: "The topics and their records: AsyncAPI 3.0",
      answers: { 200: ["The document", v.looseObject({ asyncapi: v.literal("3.0.0") })] },
    }),
    (c) => c.json(asyncApi(topic)),
  );
  app.get(
    "/schemas/user.json",
    described({
      tag,
      summary: "The record on the topic: JSON Schema",
      answers: { 200: ["The schema", v.looseObject({ type: v.literal("object") })] },
      media: "application/schema+json",
    }),
    (c) => c.body(JSON.stringify(userSchema()), 200, { "content-type": "application/schema+json" }),
  );
  app.get(
    "/docs",
    described({
      tag,
      summary: "A page to try all this in a browser",
      answers: { 200: ["The page", v.string()] },
      media: "text/html",
    }),
    () => asset(new URL("docs/index.html", import.meta.url).href, "text/html; charset=utf-8"),
  );
  app.get("/docs/docs.js", () => asset(new URL("docs/docs.js", import.meta.url).href, script));
  app.get("/docs/swagger-ui-bundle.js", () =>
    asset(import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js"), script),
  );
  app.get("/docs/swagger-ui.css", () =>
    asset(import.meta.resolve("swagger-ui-dist/swagger-ui.css"), "text/css; charset=utf-8"),
  );
  return app;
}

const script = "text/javascript; charset=utf-8";

/** A file of ours or of a package. */
function asset(url: string, type: string): Response {
  return new Response(Bun.file(new URL(url)), { headers: { "content-type": type } });
}
