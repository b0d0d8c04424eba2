import * as v from "valibot";
import { attemptOutcomes } from "../domain/attempt.ts";
import { backfillOrders, backfillStates, reprocesses } from "../domain/backfill.ts";
import { runStates, triggers } from "../domain/run.ts";
import { overlaps } from "../domain/schedule.ts";

/* What the routes answer. Objects are closed: a test holds the real answers to these. */

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.isoTimestamp());

export const RunAnswer = v.pipe(
  v.strictObject({
    id: v.pipe(whole, v.description("Also the cursor of the list.")),
    trigger: v.picklist(triggers),
    logicalTime: v.pipe(
      v.nullable(time),
      v.description("The time a scheduled or backfilled run stands for, whenever it really runs."),
    ),
    state: v.picklist(runStates),
    attempt: v.pipe(whole, v.description("How often it has been started.")),
    seed: v.string(),
    results: v.pipe(whole, v.description("Users asked for.")),
    nat: v.array(v.string()),
    pages: v.pipe(whole, v.description("Pages committed to the raw store.")),
    fetched: v.pipe(whole, v.description("Users received.")),
    accepted: v.pipe(whole, v.description("Of these those that are users.")),
    rejected: whole,
    published: v.pipe(whole, v.description("Accepted ones acknowledged by the topic.")),
    error: v.nullable(v.string()),
    errorChain: v.pipe(
      v.array(v.string()),
      v.description("The messages of the error and of its causes, the outermost first."),
    ),
    notBefore: v.pipe(
      v.nullable(time),
      v.description("When the next attempt may begin, of a run that waits after one that failed."),
    ),
    cancelRequested: v.boolean(),
    worker: v.nullable(v.string()),
    heartbeatAt: v.nullable(time),
    createdAt: time,
    startedAt: v.nullable(time),
    finishedAt: v.nullable(time),
    seconds: v.pipe(
      v.nullable(v.number()),
      v.description("From start to finish, or to now while it runs."),
    ),
    traceId: v.pipe(
      v.string(),
      v.regex(/^[0-9a-f]{32}$/),
      v.description("The trace that it and its records belong to, as W3C Trace Context names it."),
    ),
  }),
  v.metadata({ ref: "Run" }),
);

const next = v.pipe(
  v.nullable(v.string()),
  v.description("The cursor of the next page; null where this is the last one."),
);

export const RunPageAnswer = v.pipe(
  v.strictObject({ runs: v.array(RunAnswer), next }),
  v.metadata({ ref: "RunPage" }),
);

const attempt = v.pipe(whole, v.minValue(1));

export const LogAnswer = v.pipe(
  v.strictObject({
    lines: v.array(
      v.strictObject({
        id: v.pipe(v.string(), v.description("Attempt and line.")),
        run: whole,
        attempt,
        line: whole,
        at: time,
        level: v.picklist(["info", "warn", "error"]),
        message: v.string(),
        fields: v.record(
          v.string(),
          v.nullable(v.union([v.string(), v.number(), v.boolean(), v.array(v.string())])),
        ),
      }),
    ),
    next: v.pipe(
      v.nullable(v.string()),
      v.description("The cursor of what comes after these lines, now or later."),
    ),
    more: v.pipe(v.boolean(), v.description("Whether some of that is there already.")),
  }),
  v.metadata({ ref: "Log" }),
);

export const AttemptsAnswer = v.pipe(
  v.strictObject({
    attempts: v.array(
      v.strictObject({
        run: whole,
        attempt,
        worker: v.string(),
        outcome: v.picklist(attemptOutcomes),
        error: v.nullable(v.string()),
        errorChain: v.array(v.string()),
        pages: v.pipe(whole, v.description("Pages that were committed in it.")),
        startedAt: time,
        finishedAt: v.nullable(time),
        seconds: v.number(),
      }),
    ),
  }),
  v.metadata({ ref: "Attempts" }),
);

export const ScheduleAnswer = v.pipe(
  v.strictObject({
    cron: v.string(),
    timezone: v.string(),
    paused: v.boolean(),
    catchup: v.pipe(
      v.boolean(),
      v.description(
        "Whether every logical time that was missed is made up for, or only the newest.",
      ),
    ),
    maxActiveRuns: whole,
    overlap: v.picklist(overlaps),
    version: v.pipe(whole, v.description("Grows with each change of what stands above; the ETag.")),
    next: v.pipe(
      v.nullable(time),
      v.description("The next logical time; null while it is paused."),
    ),
    watermark: v.pipe(time, v.description("All logical times up to here are dealt with.")),
    active: v.pipe(whole, v.description("Scheduled runs that wait or are performed.")),
  }),
  v.metadata({ ref: "Schedule" }),
);

export const NextTimesAnswer = v.pipe(
  v.strictObject({ times: v.pipe(v.array(time), v.description("None while it is paused.")) }),
  v.metadata({ ref: "NextTimes" }),
);

export const BackfillAnswer = v.pipe(
  v.strictObject({
    id: whole,
    from: time,
    to: time,
    reprocess: v.picklist(reprocesses),
    order: v.picklist(backfillOrders),
    maxActiveRuns: whole,
    state: v.picklist(backfillStates),
    runs: v.pipe(whole, v.description("Runs that were made or begun again.")),
    states: v.pipe(
      v.strictObject(v.entriesFromList(runStates, whole)),
      v.description("How many of its runs are in each state; what was removed since is in none."),
    ),
    createdAt: time,
    cancelledAt: v.nullable(time),
  }),
  v.metadata({ ref: "Backfill" }),
);

export const BackfilledAnswer = v.pipe(
  v.strictObject({
    backfill: v.pipe(
      v.nullable(BackfillAnswer),
      v.description("Null for a dry run, and where there is nothing to run."),
    ),
    runs: v.array(
      v.strictObject({
        logicalTime: time,
        id: v.pipe(
          v.nullable(whole),
          v.description("The run that begins again; null for a new one."),
        ),
        state: v.nullable(v.picklist(runStates)),
      }),
    ),
  }),
  v.metadata({ ref: "Backfilled" }),
);

export const BackfillPageAnswer = v.pipe(
  v.strictObject({ backfills: v.array(BackfillAnswer), next }),
  v.metadata({ ref: "BackfillPage" }),
);

export const HealthAnswer = v.strictObject({ status: v.literal("ok") });
