import * as v from "valibot";
import { ConsumerFigures } from "../domain/consumer-figures.ts";
import { stations } from "../domain/pipeline.ts";
import { runStates } from "../domain/run.ts";

/* What is answered of the stations. Objects are closed, as in answers.ts. */

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const time = v.pipe(v.string(), v.isoTimestamp());

const rate = v.pipe(
  v.nullable(v.pipe(v.number(), v.minValue(0))),
  v.description("Of the last seconds; null when not known yet."),
);
const seconds = v.nullable(v.pipe(v.number(), v.minValue(0)));

const StationAnswer = v.pipe(
  v.strictObject({
    up: v.pipe(
      v.nullable(v.boolean()),
      v.description(
        "Whether it answers those who work with it; null when nobody has asked it yet, or nobody tells.",
      ),
    ),
    since: v.pipe(v.nullable(time), v.description("Since when it is so, as far as seen.")),
    lastError: v.nullable(v.strictObject({ at: time, message: v.string() })),
  }),
  v.metadata({ ref: "Station" }),
);

const StuckAnswer = v.strictObject({
  station: v.picklist(stations),
  since: time,
  why: v.string(),
});

const raw = v.strictObject({
  rows: v.pipe(whole, v.description("Users received by the runs that are kept.")),
  rejected: whole,
  pending: v.pipe(whole, v.description("Rows that wait for the topic.")),
  oldestPendingSeconds: seconds,
  rowsPerSecond: rate,
});

const table = v.strictObject({
  consumed: whole,
  lag: whole,
  recordsPerSecond: rate,
  newestRowAt: v.pipe(
    v.nullable(time),
    v.description("When the newest row was received that consumers have told of."),
  ),
  newestRowAgeSeconds: seconds,
});

export const PipelineAnswer = v.pipe(
  v.strictObject({
    at: time,
    stations: v.strictObject(v.entriesFromList(stations, StationAnswer)),
    stuck: v.pipe(
      v.nullable(StuckAnswer),
      v.description("Where data waits and does not go on; null while it flows, or there is none."),
    ),
    runs: v.pipe(
      v.nullable(v.strictObject(v.entriesFromList(runStates, whole))),
      v.description("Runs by state; null while PostgreSQL does not answer."),
    ),
    raw: v.pipe(
      v.nullable(raw),
      v.description("What was received; null while PostgreSQL does not answer."),
    ),
    topic: v.pipe(
      v.nullable(v.strictObject({ records: whole, deadLetters: whole, recordsPerSecond: rate })),
      v.description("What the topics hold; null while Kafka does not answer."),
    ),
    table: v.pipe(
      v.nullable(table),
      v.description(
        "What the consumer group has committed, and so written; null while Kafka does not answer.",
      ),
    ),
    consumers: v.pipe(
      v.nullable(v.array(v.pipe(ConsumerFigures, v.metadata({ ref: "Consumer" })))),
      v.description(
        "What the consumers at work say of themselves, with their commits; null while Kafka does not answer.",
      ),
    ),
  }),
  v.metadata({ ref: "Pipeline" }),
);

const values = v.array(v.nullable(v.number()));
const spread = v.strictObject({ p50: values, p99: values });

export const HistoryAnswer = v.pipe(
  v.strictObject({
    stepSeconds: v.pipe(v.number(), v.integer(), v.minValue(1)),
    at: v.pipe(
      v.array(v.number()),
      v.description("The begin of each step, in seconds since 1970."),
    ),
    rowsPerSecond: v.pipe(
      v.strictObject({ raw: values, topic: values, table: values }),
      v.description("Received, published and consumed, on average of the step."),
    ),
    pending: v.pipe(values, v.description("Rows that waited for the topic: the most of the step.")),
    lag: v.pipe(values, v.description("Records that waited for the table: the most of the step.")),
    batchRows: spread,
    writeMs: spread,
    endToEndMs: spread,
  }),
  v.description("Lists of the same length; null is what was not known, or not kept."),
  v.metadata({ ref: "History" }),
);
