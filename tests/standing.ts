import type { Pipeline } from "../lib/domain/pipeline.ts";

const at = "2026-01-01T12:00:00.000Z";
const up = { up: true, since: at, lastError: null };

/** A pipeline whose table does not answer, and whose source nobody has asked. */
export const standing: Pipeline = {
  at,
  stations: {
    ...{ source: { up: null, since: null, lastError: null }, raw: up, topic: up },
    table: { up: false, since: at, lastError: { at, message: "down" } },
  },
  stuck: { station: "table", since: at, why: "waiting for the table: down" },
  runs: { queued: 1, running: 0, success: 3, failed: 0, cancelled: 0, skipped: 0 },
  raw: { rows: 60, rejected: 1, pending: 2, oldestPendingSeconds: 0.5, rowsPerSecond: null },
  topic: { records: 57, deadLetters: 4, recordsPerSecond: 1.5 },
  table: {
    ...{ consumed: 37, lag: 20, recordsPerSecond: 0 },
    ...{ newestRowAt: at, newestRowAgeSeconds: 1.5 },
  },
  consumers: [],
};
