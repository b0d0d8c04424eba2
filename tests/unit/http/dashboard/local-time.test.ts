import { expect, test } from "bun:test";
import { localOf, momentOf } from "../../../../lib/http/dashboard/runs/local-time.ts";

test("a time in the reader's zone stays the same moment there and back", () => {
  for (const iso of ["2026-01-01T00:00:00.000Z", "2026-07-01T12:30:00.000Z"]) {
    expect(momentOf(localOf(iso))).toBe(iso);
    expect(localOf(iso)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d$/);
  }
});

test("no time is the empty text, and the other way round", () => {
  expect(localOf(undefined)).toBe("");
  expect(momentOf("")).toBeUndefined();
  expect(momentOf("soon")).toBeUndefined();
});
