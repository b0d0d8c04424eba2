import type { Context } from "hono";
import * as v from "valibot";

export const RunList = v.object({
  limit: v.optional(
    v.pipe(v.string(), v.regex(/^([1-9]\d?|100)$/, "a number from 1 to 100")),
    "25",
  ),
  before: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/, "the id of a run"))),
});

/**
 * The JSON body; undefined when it is none. An empty body is an empty object. Other content types
 * are refused before this is called, so that no page of another origin can send one without asking.
 */
export async function jsonBody(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
