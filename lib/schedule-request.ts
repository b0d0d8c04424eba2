import * as v from "valibot";
import { isCron, isTimeZone } from "./cron.ts";
import { type BackfillRequest, backfillOrders, reprocesses } from "./domain/backfill.ts";
import { Moment } from "./domain/moment.ts";
import { Nat, Results } from "./domain/run-request.ts";
import { overlaps } from "./domain/schedule.ts";

/* What somebody asks of the schedule and of backfills, by HTTP or on the command line. */

const active = "a number of runs from 1 to 100";
const ActiveRuns = v.pipe(
  v.number(active),
  v.integer(active),
  v.minValue(1, active),
  v.maxValue(100, active),
);

const cron = "a cron expression of 5 or 6 fields";
const zone = "an IANA time zone";
const flag = v.boolean("true or false");

// Longer than any expression that says something.
export const CronExpression = v.pipe(v.string(cron), v.maxLength(200, cron), v.check(isCron, cron));
export const TimeZone = v.pipe(v.string(zone), v.maxLength(100, zone), v.check(isTimeZone, zone));

/** Changes of the schedule: what is left out stays. */
export const ScheduleChange = v.pipe(
  v.unknown(),
  v.check((body) => !Array.isArray(body), "an object, not a list"),
  v.strictObject(
    {
      cron: v.optional(CronExpression),
      timezone: v.optional(TimeZone),
      paused: v.optional(flag),
      catchup: v.optional(flag),
      maxActiveRuns: v.optional(ActiveRuns),
      overlap: v.optional(v.picklist(overlaps, overlaps.join(" or "))),
    },
    "an object with cron, timezone, paused, catchup, maxActiveRuns, overlap and nothing else",
  ),
);

/** A backfill that somebody asks for: the logical times from `from` on, and before `to`. */
export const NewBackfill = v.pipe(
  v.unknown(),
  v.check((body) => !Array.isArray(body), "an object, not a list"),
  v.strictObject(
    {
      from: Moment,
      to: Moment,
      reprocess: v.optional(v.picklist(reprocesses, reprocesses.join(", ")), "none"),
      order: v.optional(v.picklist(backfillOrders, backfillOrders.join(" or ")), "oldest"),
      maxActiveRuns: v.optional(ActiveRuns, 1),
      results: v.optional(Results),
      nat: v.optional(Nat),
      dryRun: v.optional(flag, false),
    },
    "an object with from, to, reprocess, order, maxActiveRuns, results, nat, dryRun and nothing else",
  ),
);

/** What is asked for, with the settings for what is left out. */
export function backfillRequest(
  asked: v.InferOutput<typeof NewBackfill>,
  defaults: Pick<BackfillRequest, "results" | "nat">,
): BackfillRequest {
  const { from, to, reprocess, order, maxActiveRuns } = asked;
  const { results = defaults.results, nat = defaults.nat } = asked;
  return { from, to, reprocess, order, maxActiveRuns, results, nat };
}
