import { describe, expect, test } from "bun:test";
import { dashboardQueries, unknownIn } from "../../grafana.ts";
import { readMetrics } from "../../metrics.ts";

/* What the real processes give is compared in integration/scripts/metrics.test.ts. */

const scraped = {
  ingest: readMetrics(
    [
      "# HELP runs Runs",
      "# TYPE runs gauge",
      'runs{state="success"} 3',
      "# HELP page_seconds Pages",
      "# TYPE page_seconds histogram",
      'page_seconds_bucket{le="1",phase="fetch"} 3',
      'page_seconds_bucket{le="+Inf",phase="fetch"} 3',
      'page_seconds_sum{phase="fetch"} 1.5',
      'page_seconds_count{phase="fetch"} 3',
    ].join("\n"),
  ),
};
const faults = (expr: string, legend = "") => unknownIn({ title: "", expr, legend }, scraped);

describe("a query", () => {
  test.each([
    ["runs", "{{state}} {{instance}}"],
    ['max by (state) (runs{state="success"})', "{{state}}"],
    ['sum(runs{state=~"success|failed", job="ingest"}) / 2 > 1', "all"],
    [
      "histogram_quantile(0.99, sum by (le, phase) (rate(page_seconds_bucket[1m])))",
      "{{phase}} p99",
    ],
    ["sum(rate(page_seconds_sum[5m])) / sum(rate(page_seconds_count[5m]))", "average"],
  ])("names what is there: %s", (expr, legend) => {
    expect(faults(expr, legend)).toEqual([]);
  });

  test.each([
    ["sum(walks)", "", "metric walks"],
    ["runs + walks", "", "metric walks"],
    ["rate(page_seconds[1m])", "", "metric page_seconds"],
    ['runs{stat="success"}', "", "label stat of runs"],
    ['runs{state="succes"}', "", "series of runs as wanted"],
    ['runs{job="consume"}', "", "series of runs as wanted"],
    ['runs{state!="success"}', "", "series of runs as wanted"],
    ["max by (stat) (runs)", "", "label stat"],
    ["max by (state) (runs)", "{{stat}}", "label stat in the legend"],
    ["max(runs)", "{{state}}", "label state in the legend"],
    ["1", "", "no metric at all"],
  ])("names what is not there: %s %s", (expr, legend, fault) => {
    expect(faults(expr, legend)).toEqual([fault]);
  });
});

test("the dashboard has queries, and no variable in them but the one that is known", async () => {
  const queries = await dashboardQueries();
  expect(queries.length).toBeGreaterThan(30);
  for (const { expr } of queries) expect(expr).not.toContain("$");
});
