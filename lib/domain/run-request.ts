import * as v from "valibot";
import { nationalities } from "./nationalities.ts";
import { shown } from "./user.ts";

const users = "a number of users from 1 to 1000000";
export const Results = v.pipe(
  v.number(users),
  v.integer(users),
  v.minValue(1, users),
  v.maxValue(1_000_000, users),
);
export const Nat = v.array(
  v.picklist(nationalities, `one of ${nationalities.join(",")}`),
  "a list of nationalities",
);

/**
 * A run that somebody asks for, by HTTP or on the command line; what is left out comes from the
 * settings.
 */
export const NewRun = v.pipe(
  v.unknown(),
  v.check((body) => !Array.isArray(body), "an object, not a list"),
  v.strictObject(
    {
      results: v.optional(Results),
      nat: v.optional(Nat),
      seed: v.optional(
        v.pipe(v.string("a text"), v.regex(/^[\x21-\x7e]{1,64}$/, "1 to 64 printable characters")),
      ),
    },
    "an object with results, nat, seed and nothing else",
  ),
);

export type Invalid = readonly { readonly path: string; readonly message: string }[];

/**
 * The issues of a value as fields for a problem, each with what was given and what was expected.
 */
export function invalid(issues: readonly v.BaseIssue<unknown>[]): Invalid {
  return issues.map((issue) => {
    const message = `${shown(issue.input)}: expected ${issue.message}`;
    return { path: v.getDotPath(issue) ?? "", message };
  });
}
