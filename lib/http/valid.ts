import type { Context, Env, MiddlewareHandler } from "hono";
import { resolver, uniqueSymbol } from "hono-openapi";
import * as v from "valibot";
import { invalid } from "../domain/run-request.ts";
import { problem } from "./problem.ts";

/** Where in a request a value stands. */
type Place = "json" | "query" | "header" | "param";

type Valid<P extends Place, S extends v.GenericSchema> = MiddlewareHandler<
  Env,
  string,
  { in: { [K in P]: v.InferInput<S> }; out: { [K in P]: v.InferOutput<S> } }
>;

/**
 * Lets a request through whose body, query, headers or path are what the schema says, and describes
 * them in the OpenAPI document. Others are answered 422, with each field that is wrong; a body of
 * another type than JSON 415. An empty body counts as `{}`; it needs no type where it is optional.
 */
export function valid<const P extends Place, S extends v.GenericSchema>(
  place: P,
  schema: S,
  title: string,
  { optional = false }: { readonly optional?: boolean } = {},
): Valid<P, S> {
  const handler: Valid<P, S> = async (c, next) => {
    // No page of another origin can send JSON without asking first.
    if (place === "json" && !(await isJson(c, optional))) {
      return problem(c, { status: 415, title: "The content type must be application/json" });
    }
    const parsed = v.safeParse(schema, await given(c, place), { abortPipeEarly: true });
    if (!parsed.success) {
      return problem(c, { status: 422, title, errors: invalid(parsed.issues) });
    }
    c.req.addValidatedData(place, parsed.output as object);
    return next();
  };
  return Object.assign(handler, { [uniqueSymbol]: { target: place, ...resolver(schema) } });
}

async function isJson(c: Context, optional: boolean): Promise<boolean> {
  const type = c.req.header("content-type");
  if (type === undefined && optional && (await c.req.text()) === "") return true;
  return /^application\/json\b/i.test(type ?? "");
}

function given(c: Context, place: Place): unknown {
  if (place === "json") return jsonBody(c);
  if (place === "param") return c.req.param();
  return place === "header" ? c.req.header() : query(c);
}

/** What a query gives twice is not chosen from: it is a list, which no schema here takes. */
function query(c: Context): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, all]) => [name, all.length > 1 ? all : all[0]]),
  ) as Record<string, string | string[]>;
}

/** The JSON body; undefined when it is none. An empty body is an empty object. */
async function jsonBody(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
