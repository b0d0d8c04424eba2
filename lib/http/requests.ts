import * as v from "valibot";
import { runStates, triggers } from "../domain/run.ts";
import { eventTypes } from "./event-text.ts";

/** The id of a run or backfill in a path. Routes take digits alone: all else is no page. */
export const Id = v.object({
  id: v.pipe(v.string(), v.regex(/^\d{1,15}$/, "a number"), v.transform(Number)),
});

/** A moment, as ISO 8601 with a time zone; between the years 1 and 9999. */
export const Moment = v.pipe(
  v.string("a time such as 2026-01-31T12:00:00Z"),
  v.isoTimestamp("a time such as 2026-01-31T12:00:00Z"),
  v.check(isMoment, "a time such as 2026-01-31T12:00:00Z"),
  v.transform((text) => new Date(text)),
);

const limit = v.optional(
  v.pipe(
    v.string("one number from 1 to 100"),
    v.regex(/^([1-9]\d?|100)$/, "a number from 1 to 100"),
    v.transform(Number),
    v.description("How many at most."),
  ),
  "25",
);

const cursor = v.optional(
  v.pipe(
    v.string("one cursor"),
    v.regex(/^\d{1,15}$/, "what an answer gave as `next`"),
    v.transform(Number),
    v.description("Where the page before ended: its `next`."),
  ),
);

/** A page of a list. */
export const Page = v.strictObject({ limit, cursor });

export const RunList = v.strictObject({
  limit,
  cursor,
  state: v.optional(oneOrMore(runStates, "Only runs in these states, separated by commas.")),
  trigger: v.optional(oneOrMore(triggers, "Only runs that these have made.")),
  from: v.optional(
    v.pipe(
      Moment,
      v.description(
        "Only runs that stand for this time or a later one: the logical time, or when the run was made where it has none.",
      ),
    ),
  ),
  to: v.optional(v.pipe(Moment, v.description("Only runs that stand for an earlier time."))),
});

export const NewRunHeaders = v.object({
  "idempotency-key": v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[\x21-\x7e]{1,255}$/, "1 to 255 printable characters"),
      v.description("Asking again with the same key and the same body gives the same run."),
    ),
  ),
});

export const EventQuery = v.strictObject({
  types: v.optional(oneOrMore(eventTypes, "Only events of these types."), eventTypes.join()),
  run: v.optional(
    v.pipe(
      v.string("one run"),
      v.regex(/^\d{1,15}$/, "the id of a run"),
      v.transform(Number),
      v.description("Only events of this run, and of its log."),
    ),
  ),
});

export const EventHeaders = v.object({
  // Browsers send it back as it came; none at first.
  "last-event-id": v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, "the id of an event"),
      v.transform(Number),
      v.description("Goes on after this event."),
    ),
  ),
});

function oneOrMore<const Name extends string>(names: readonly Name[], about: string) {
  const any = `(${names.join("|")})`;
  const expected = `one or more of ${names.join(",")}`;
  return v.pipe(
    v.string(expected),
    v.regex(new RegExp(`^${any}(,${any})*$`), expected),
    v.transform((text) => text.split(",") as Name[]),
    v.description(about),
  );
}

function isMoment(text: string): boolean {
  const [time, day] = [Date.parse(text), Date.parse(text.slice(0, 10))];
  if (Number.isNaN(time) || Number.isNaN(day)) return false;
  const year = new Date(time).getUTCFullYear();
  // The 31st of February is a day of March to some.
  const exists = new Date(day).toISOString().startsWith(text.slice(0, 10));
  return exists && year >= 1 && year <= 9999;
}
