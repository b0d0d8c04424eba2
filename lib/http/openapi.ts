import { Hono } from "hono";
import { generateSpecs } from "hono-openapi";
import * as v from "valibot";
import { described } from "./describe.ts";
import type { Protection } from "./guards.ts";

/** `/openapi.json`: the routes of `app`, described by the schemas that they are held to. */
export function openApiRoute(app: Hono, { token }: Pick<Protection, "token">): Hono {
  const route = new Hono();
  let made: Promise<object> | undefined;
  const make = () =>
    generateSpecs(app, {
      defaultValidationErrorResponse: false,
      excludeStaticFile: false,
      documentation: {
        info: {
          title: "users-pipeline",
          // Of this API, not of the program.
          version: "1",
          description:
            "Runs that fetch users from an HTTP API, by hand and on a schedule, on their way over PostgreSQL and Kafka to Cassandra or ScyllaDB.",
        },
        components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
        security: token === "" ? [] : [{ token: [] }],
      },
    });
  const itself = described({
    tag: "service",
    summary: "This document: OpenAPI 3.1",
    answers: { 200: ["The document", v.looseObject({ openapi: v.literal("3.1.0") })] },
  });
  route.get("/openapi.json", itself, async (c) => {
    made ??= make();
    return c.json(await made);
  });
  return route;
}
