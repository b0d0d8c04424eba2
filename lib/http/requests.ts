import type { Context } from "hono";
import * as v from "valibot";
import { nationalities } from "../config.ts";
import { shown } from "../domain/user.ts";

/** The body of `POST /api/runs`; what is left out comes from the settings. */
export const NewRun = v.pipe(
  v.unknown(),
  v.check((body) => !Array.isArray(body), "an object, not a list"),
  v.strictObject(
    {
      results: v.optional(
        v.pipe(
          v.number("a number of users from 1 to 1000000"),
          v.integer("a number of users from 1 to 1000000"),
          v.minValue(1, "a number of users from 1 to 1000000"),
          v.maxValue(1_000_000, "a number of users from 1 to 1000000"),
        ),
      ),
      nat: v.optional(
        v.array(
          v.picklist(nationalities, `one of ${nationalities.join(",")}`),
          "a list of nationalities",
        ),
      ),
      seed: v.optional(
        v.pipe(v.string("a text"), v.regex(/^[\x21-\x7e]{1,64}$/, "1 to 64 printable characters")),
      ),
    },
    "an object with results, nat, seed and nothing else",
  ),
);

export const RunList = v.object({
  limit: v.optional(
    v.pipe(v.string(), v.regex(/^([1-9]\d?|100)$/, "a number from 1 to 100")),
    "25",
  ),
  before: v.optional(v.pipe(v.string(), v.regex(/^\d{1,15}$/, "the id of a run"))),
});

export type Invalid = readonly { readonly path: string; readonly message: string }[];

/** The issues of a value as fields for a problem, each with what was given and what was expected. */
export function invalid(issues: readonly v.BaseIssue<unknown>[]): Invalid {
  return issues.map((issue) => {
    const message = `${shown(issue.input)}: expected ${issue.message}`;
    return { path: v.getDotPath(issue) ?? "", message };
  });
}

/**
 * The JSON body; undefined when it is none. An empty body is an empty object. Other content types are refused
 * before this is called, so that no page of another origin can send one without asking.
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
