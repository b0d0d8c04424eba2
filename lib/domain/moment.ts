import * as v from "valibot";

const expected = "a time such as 2026-01-31T12:00:00Z";

/** A moment, given as ISO 8601 with a time zone; between the years 1 and 9999, as PostgreSQL has it. */
export const Moment = v.pipe(
  v.string(expected),
  v.isoTimestamp(expected),
  v.check(isMoment, expected),
  v.transform((text) => new Date(text)),
);

function isMoment(text: string): boolean {
  const [time, day] = [Date.parse(text), Date.parse(text.slice(0, 10))];
  if (Number.isNaN(time) || Number.isNaN(day)) return false;
  const year = new Date(time).getUTCFullYear();
  // The 31st of February is a day of March to some.
  const exists = new Date(day).toISOString().startsWith(text.slice(0, 10));
  return exists && year >= 1 && year <= 9999;
}
