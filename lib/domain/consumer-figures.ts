import * as v from "valibot";

/* What a consumer says of itself: it travels with its commits, so that nothing else is needed. */

const time = v.pipe(v.string(), v.isoTimestamp());
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const measured = v.pipe(v.number(), v.minValue(0));

const spread = (about: string) =>
  v.pipe(
    v.nullable(v.strictObject({ p50: measured, p99: measured })),
    v.description(`${about}; null when it has done nothing in the last minute.`),
  );

/** Made once a second at most; percentiles are of the last minute. Times are of its own clock. */
export const ConsumerFigures = v.strictObject({
  worker: v.pipe(
    v.string(),
    v.description("Names the process: host, number, and a part by chance."),
  ),
  at: v.pipe(time, v.description("When it said this.")),
  startedAt: time,
  memoryBytes: v.pipe(whole, v.description("Resident.")),
  records: v.pipe(whole, v.description("Read since it started.")),
  rows: v.pipe(whole, v.description("Written since it started.")),
  deadLetters: v.pipe(whole, v.description("Since it started.")),
  batchRows: spread("Rows of a batch"),
  writeMs: spread("Milliseconds to write a batch"),
  endToEndMs: spread(
    "Milliseconds from when a row was received to when the table had it, by the oldest and the newest row of each batch",
  ),
  newestRowAt: v.pipe(
    v.nullable(time),
    v.description("When the newest row was received that it has written, or those before it."),
  ),
  waiting: v.pipe(
    v.nullable(v.strictObject({ what: v.string(), reason: v.string(), since: time })),
    v.description("What it waits for at this moment."),
  ),
  lastError: v.pipe(
    v.nullable(v.strictObject({ at: time, message: v.string() })),
    v.description("The last failure it has met, over or not."),
  ),
});
export type ConsumerFigures = Readonly<v.InferOutput<typeof ConsumerFigures>>;
