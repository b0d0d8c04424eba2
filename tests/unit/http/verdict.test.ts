import { describe, expect, test } from "bun:test";
import type { Pipeline } from "../../../lib/domain/pipeline.ts";
import { verdictOf } from "../../../lib/http/dashboard/overview/verdict-of.ts";

const at = "2026-01-01T12:00:00.000Z";
const none = { queued: 0, running: 0, success: 0, failed: 0, cancelled: 0, skipped: 0 };
const health = { up: true, since: at, lastError: null };
const still: Pipeline = {
  at,
  stations: { source: health, raw: health, topic: health, table: health },
  stuck: null,
  runs: none,
  raw: { rows: 5, rejected: 0, pending: 0, oldestPendingSeconds: null, rowsPerSecond: 0 },
  topic: { records: 5, deadLetters: 0, recordsPerSecond: 0 },
  table: {
    ...{ consumed: 5, lag: 0, newestRowAt: at, newestRowAgeSeconds: 3, recordsPerSecond: 0 },
  },
  consumers: [],
};
const { raw, table } = still;

describe("the head of the page says", () => {
  test("where data is stuck, for how long and why, whatever else goes on", () => {
    const stuck = {
      station: "table",
      since: "2026-01-01T11:58:30.000Z",
      why: "no consumer",
    } as const;
    expect(verdictOf({ ...still, stuck, runs: { ...none, running: 3 } })).toEqual({
      ...{ state: "stuck", title: "Stuck at the table for 1 min 30 s", text: "no consumer" },
    });
  });

  test.each<[string, Partial<Pipeline>]>([
    ["a run", { runs: { ...none, running: 1 } }],
    ["rows that wait", { raw: raw && { ...raw, pending: 1 } }],
    ["records that wait", { table: table && { ...table, lag: 1 } }],
    ["a rate", { table: table && { ...table, recordsPerSecond: 0.1 } }],
  ])("that data flows, with %s", (_, change) => {
    expect(verdictOf({ ...still, ...change })).toMatchObject({
      state: "flows",
      title: "Data flows",
    });
  });

  test("that nothing is under way, also where nobody knows all of it", () => {
    expect(verdictOf(still).state).toBe("idle");
    expect(verdictOf({ ...still, topic: null, table: null, consumers: null }).state).toBe("idle");
    const queued = { ...none, queued: 2 };
    expect(verdictOf({ ...still, runs: queued }).text).toBe("Nothing is under way, 2 queued");
  });
});
