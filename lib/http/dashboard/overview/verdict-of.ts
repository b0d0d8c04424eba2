import type { Pipeline, Station } from "../../../domain/pipeline.ts";
import { duration, rate, shortCount } from "../format.ts";

/** The names that people know the stations by. */
const systems: Readonly<Record<Station, string>> = {
  source: "the API",
  raw: "PostgreSQL",
  topic: "Kafka",
  table: "the table",
};

export interface Verdict {
  readonly state: "stuck" | "flows" | "idle";
  readonly title: string;
  readonly text: string;
}

/** In one line: does data flow, is there none, or where is it stuck, since when and why. */
export function verdictOf({ at, stuck, runs, raw, topic, table }: Pipeline): Verdict {
  if (stuck) {
    const seconds = Math.max(0, (Date.parse(at) - Date.parse(stuck.since)) / 1000);
    const title = `Stuck at ${systems[stuck.station]} for ${duration(seconds)}`;
    return { state: "stuck", title, text: stuck.why };
  }
  const waiting = (raw?.pending ?? 0) + (table?.lag ?? 0);
  const rates = [raw?.rowsPerSecond, topic?.recordsPerSecond, table?.recordsPerSecond];
  if (waiting === 0 && (runs?.running ?? 0) === 0 && rates.every((each) => !each)) {
    const queued = runs?.queued ?? 0;
    const next = queued === 0 ? "no run is queued" : `${shortCount(queued)} queued`;
    return { state: "idle", title: "Idle", text: `Nothing is under way, ${next}` };
  }
  const age = table?.newestRowAgeSeconds ?? null;
  const newest = age === null ? [] : [`the newest row is ${duration(age)} old`];
  const written = `${rate(table?.recordsPerSecond)} into the table`;
  return { state: "flows", title: "Data flows", text: [written, ...newest].join(", ") };
}
