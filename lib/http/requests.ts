import * as v from "valibot";
import { parseLogId } from "../domain/attempt.ts";
import { Moment } from "../domain/moment.ts";
import { runStates, triggers } from "../domain/run.ts";
import { CronExpression, TimeZone } from "../schedule-request.ts";
import { eventTypes } from "./event-text.ts";

/** The id of a run or backfill in a path. Routes take digits alone: all else is no page. */
export const Id = v.object({
  id: v.pipe(v.string(), v.regex(/^\d{1,15}$/, "a number"), v.transform(Number)),
});

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

const most = "a number from 1 to 1000";

/** How many of the newest. */
export const Latest = v.strictObject({ limit });

/** A page of a list. */
export const Page = v.strictObject({ limit, cursor });

export const RunList = v.strictObject({
  limit: v.optional(
    v.pipe(
      v.string("one number from 1 to 1000"),
      v.regex(/^([1-9]\d{0,2}|1000)$/, most),
      v.transform(Number),
      v.description("How many at most."),
    ),
    "25",
  ),
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

/** A span of time in steps; the last hour when nothing is said. */
export const HistoryQuery = v.strictObject({
  from: v.optional(v.pipe(Moment, v.description("Where it begins: an hour before `to`."))),
  to: v.optional(v.pipe(Moment, v.description("Where it ends: now."))),
  step: v.optional(
    v.pipe(
      v.string("one number of seconds"),
      v.regex(/^[1-9]\d{0,7}$/, "a number of seconds"),
      v.transform(Number),
      v.description("Seconds of a step; by default such that there are some hundreds of them."),
    ),
  ),
});

/** The run is tried again from its first page, with the same users. */
export const Retry = body(
  { fromStart: v.optional(v.boolean("true or false"), false) },
  "an object with fromStart and nothing else",
);

export const LogQuery = v.strictObject({
  attempt: v.optional(
    v.pipe(
      v.string("one attempt"),
      v.regex(/^\d{1,9}$/, "the number of an attempt"),
      v.transform(Number),
      v.description("Only lines of this attempt."),
    ),
  ),
  cursor: v.optional(
    v.pipe(
      v.string("one cursor"),
      v.regex(/^\d{1,9}\.\d{1,9}$/, "what an answer gave as `next`"),
      v.transform(parseLogId),
      v.description("Only lines after this one: what an answer gave as `next`."),
    ),
  ),
  limit: v.optional(
    v.pipe(
      v.string("one number from 1 to 1000"),
      v.regex(/^([1-9]\d{0,2}|1000)$/, most),
      v.transform(Number),
    ),
    "100",
  ),
});

export const CancelBackfill = body(
  {
    running: v.pipe(
      v.optional(v.boolean("true or false"), false),
      v.description("Whether its runs that are performed end too."),
    ),
  },
  "an object with running and nothing else",
);

export const NextTimes = v.strictObject({
  limit,
  cron: v.optional(
    v.pipe(CronExpression, v.description("The times it would have with this expression.")),
  ),
  timezone: v.optional(
    v.pipe(TimeZone, v.description("The times it would have in this time zone.")),
  ),
});

export const ScheduleHeaders = v.object({
  "if-match": v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(\*|"\d{1,9}")$/, "the ETag of the schedule, or *"),
      v.description("Changes the schedule only where it still is the one of this ETag."),
    ),
  ),
});

/** Of what asks for runs. */
export const AskHeaders = v.object({
  "idempotency-key": v.optional(
    v.pipe(
      v.string(),
      v.regex(/^[\x21-\x7e]{1,255}$/, "1 to 255 printable characters"),
      v.description("Asking again with the same key and the same body makes nothing more."),
    ),
  ),
  traceparent: v.optional(
    v.pipe(
      v.string(),
      v.description("W3C Trace Context: runs and records belong to this trace. Ignored if wrong."),
    ),
  ),
  tracestate: v.optional(v.pipe(v.string(), v.description("Goes with traceparent."))),
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

/** A list counts as an object to valibot. */
export function body<E extends v.ObjectEntries>(entries: E, expected: string) {
  return v.pipe(
    v.unknown(),
    v.check((given) => !Array.isArray(given), expected),
    v.strictObject(entries, expected),
  );
}

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
