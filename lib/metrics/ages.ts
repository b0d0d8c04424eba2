import type { VersionedUser } from "../domain/event.ts";
import type { Figures } from "./registry.ts";

/** Seconds: from what one row takes to what a store that was down for an hour makes of it. */
const bounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/**
 * A histogram of how old rows are when they are written, with every row in it: prom-client's own
 * takes a microsecond and more for each value, this one some nanoseconds for each row. Rows of a
 * page have versions next to each other, and so nearly always one bucket.
 */
export function addAges(figures: Figures, name: string, help: string) {
  const histogram = figures.histogram(name, help, { buckets: bounds });
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  // What the registry asks a histogram for; its types leave it out.
  const getForPromString = async () => ({
    ...{ name, help, type: "histogram", aggregator: "sum" },
    values: valuesOf(name, counts, sum),
  });
  Object.assign(histogram, { getForPromString });
  return {
    /** Versions are microseconds since 1970; what is written before its version counts as new. */
    observe: (rows: readonly VersionedUser[], atMs: number): void => {
      let at = 0;
      for (const { version } of rows) {
        const seconds = Math.max(0, atMs * 1000 - version) / 1e6;
        while (at > 0 && seconds <= (bounds[at - 1] ?? 0)) at -= 1;
        while (at < bounds.length && seconds > (bounds[at] ?? 0)) at += 1;
        counts[at] = (counts[at] ?? 0) + 1;
        sum += seconds;
      }
    },
  };
}

function valuesOf(name: string, counts: readonly number[], sum: number) {
  let below = 0;
  const buckets = [...bounds, "+Inf"].map((le, at) => {
    below += counts[at] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: below },
  ];
}
