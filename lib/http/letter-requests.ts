import * as v from "valibot";
import { parsePlace } from "../domain/letter.ts";
import type { LetterFilter } from "../domain/letter-filter.ts";
import { Moment } from "../domain/moment.ts";
import { body } from "./requests.ts";

/* What is asked of letters: which ones, and where a page goes on. */

const letterId = (text: string) => parsePlace(text) !== undefined || /^raw\/\d{1,15}$/.test(text);

/** The id of a letter in a path. */
export const LetterId = v.object({
  id: v.pipe(v.string(), v.check(letterId, "an id, as the list has it")),
});

const where = v.picklist(["topic", "raw"], "topic or raw");
const stage = v.picklist(["fetch", "publish", "decode", "write"], "a stage");
const reason = v.pipe(v.string("one text"), v.minLength(1), v.maxLength(200));

const filters = {
  where: v.optional(
    v.pipe(where, v.description("topic: dead letters; raw: rows rejected before the topic.")),
  ),
  stage: v.optional(v.pipe(stage, v.description("What refused them."))),
  reason: v.optional(v.pipe(reason, v.description("A part of their reason, in whatever case."))),
  from: v.optional(v.pipe(Moment, v.description("Letters of this time or a later one."))),
  to: v.optional(v.pipe(Moment, v.description("Letters of an earlier time."))),
};

export const LetterQuery = v.strictObject({
  ...filters,
  state: v.optional(v.picklist(["open", "replayed", "purged", "all"], "a state or all"), "open"),
  partition: v.optional(
    v.pipe(
      v.string("one partition"),
      v.regex(/^\d{1,10}$/, "a partition"),
      v.transform(Number),
      v.description("Of records of this partition."),
    ),
  ),
  limit: v.optional(
    v.pipe(
      v.string("one number from 1 to 100"),
      v.regex(/^([1-9]\d?|100)$/, "a number from 1 to 100"),
      v.transform(Number),
      v.description("How many at most."),
    ),
    "25",
  ),
  cursor: v.optional(
    v.pipe(
      v.string("one cursor"),
      v.regex(/^\d{1,15}~[A-Za-z0-9._/-]{1,300}$/, "what an answer gave as `next`"),
      v.transform(parseCursor),
      v.description("Where the page before ended: its `next`."),
    ),
  ),
});

/** What changes letters needs to be told which. */
export const SettleLetters = v.pipe(
  body(
    {
      ...filters,
      ids: v.optional(
        v.pipe(
          v.array(v.pipe(v.string(), v.check(letterId, "an id, as the list has it"))),
          v.minLength(1, "one id or more"),
          v.maxLength(1000, "1000 ids at most"),
        ),
      ),
      partition: v.optional(
        v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1)),
      ),
      all: v.pipe(
        v.optional(v.boolean("true or false"), false),
        v.description("Every open one; without ids and filters."),
      ),
      limit: v.pipe(
        v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1000),
        v.description("How many at most: those that are left can be asked for again."),
      ),
      dryRun: v.pipe(
        v.optional(v.boolean("true or false"), false),
        v.description("Changes nothing, and tells what would be done."),
      ),
    },
    "an object that says which letters",
  ),
  v.check(
    ({ all, limit: _, dryRun: __, ...given }) => all === (Object.keys(given).length === 0),
    "ids, a filter, or all",
  ),
);

/** Of a query or a body, which letters are meant. */
export function letterFilter(
  given: v.InferOutput<typeof LetterQuery> | v.InferOutput<typeof SettleLetters>,
): LetterFilter {
  const { where, stage, reason, from, to, partition } = given;
  const ids = "ids" in given ? given.ids : undefined;
  return {
    ...(ids === undefined ? {} : { ids }),
    ...(where === undefined ? {} : { where }),
    ...(stage === undefined ? {} : { stage }),
    ...(reason === undefined ? {} : { reason }),
    ...(from === undefined ? {} : { fromMs: from.getTime() }),
    ...(to === undefined ? {} : { toMs: to.getTime() }),
    ...(partition === undefined ? {} : { partition }),
  };
}

/** The cursor of a page that ends with this letter. */
export function cursorText({ at, id }: { readonly at: string; readonly id: string }): string {
  return `${Date.parse(at)}~${id}`;
}

function parseCursor(text: string): { readonly at: string; readonly id: string } {
  const [ms = "", id = ""] = text.split("~");
  return { at: new Date(Number(ms)).toISOString(), id };
}
