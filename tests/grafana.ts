import { join } from "node:path";
import * as v from "valibot";
import type { Metric } from "./metrics.ts";

/* The queries of Grafana's dashboard, and what they name that is not there. */

export interface Query {
  /** The panel it is in. */
  readonly title: string;
  readonly expr: string;
  /** How its lines are called: "{{station}}". */
  readonly legend: string;
}

const target = v.object({ expr: v.string(), legendFormat: v.string() });
const panel = v.object({
  title: v.string(),
  type: v.string(),
  datasource: v.optional(v.object({ uid: v.string() })),
  targets: v.optional(v.array(target), []),
});

/** As Prometheus gets them: with a time in place of Grafana's variable. */
export async function dashboardQueries(): Promise<readonly Query[]> {
  const file = Bun.file(join(import.meta.dir, "../lib/observe/dashboard.json"));
  const { panels } = v.parse(v.object({ panels: v.array(panel) }), await file.json());
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({
      ...{ title, legend: legendFormat },
      expr: expr.replaceAll(/\$__rate_interval\b/g, "1m"),
    })),
  );
}

/** By the name of the job, as Prometheus has it: what is scraped of it. */
export type Scraped = Readonly<Record<string, readonly Metric[]>>;

/** What a query names that nobody tells: metrics, labels, values of labels. */
export function unknownIn({ expr, legend }: Query, scraped: Scraped): readonly string[] {
  const { selectors, by } = namesIn(expr);
  const faults: string[] = [];
  const labels = new Set<string>();
  for (const { metric, matchers } of selectors) {
    const all = seriesOf(metric, scraped);
    const own = new Set(all.flatMap((series) => Object.keys(series)));
    for (const name of own) labels.add(name);
    const strange = matchers.filter(({ label }) => !own.has(label));
    if (all.length === 0) faults.push(`metric ${metric}`);
    else if (strange.length > 0)
      faults.push(...strange.map((it) => `label ${it.label} of ${metric}`));
    else if (!all.some((series) => matchers.every((it) => matches(series[it.label] ?? "", it)))) {
      faults.push(`series of ${metric} as wanted`);
    }
  }
  if (selectors.length === 0) faults.push("no metric at all");
  for (const label of by) if (!labels.has(label)) faults.push(`label ${label}`);
  const shown = [...legend.matchAll(/\{\{\s*(\w*)\s*\}\}/g)].map(([, label = ""]) => label);
  // What is aggregated has the labels alone that it is aggregated by.
  const left = /\b(sum|min|max|avg|count)\b/.test(expr) ? new Set(by) : labels;
  for (const label of shown) if (!left.has(label)) faults.push(`label ${label} in the legend`);
  return faults;
}

interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

interface Named {
  readonly selectors: readonly { readonly metric: string; readonly matchers: readonly Matcher[] }[];
  readonly by: readonly string[];
}

/** Enough of PromQL for this: whether it is a query at all, Prometheus says. */
function namesIn(expr: string): Named {
  const by: string[] = [];
  const rest = expr
    .replaceAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g, (_, list: string) => {
      by.push(...list.split(",").map((label) => label.trim()));
      return " ";
    })
    .replaceAll(/\[[^\]]*\]/g, " ");
  const names = [...rest.matchAll(/([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\}|(\())?/g)];
  const selectors = names.flatMap(([, metric = "", braces = "", call]) => {
    if (call !== undefined || words.has(metric)) return [];
    const matchers = [...braces.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(
      ([, label = "", operator = "", value = ""]) => ({ label, operator, value }),
    );
    return [{ metric, matchers }];
  });
  return { selectors, by };
}

const words = new Set([
  ..."and or unless bool offset".split(" "),
  "by",
  "sum",
  "min",
  "max",
  "avg",
]);

/** The labels of each series, with those that Prometheus adds. */
function seriesOf(metric: string, scraped: Scraped): readonly Readonly<Record<string, string>>[] {
  return Object.entries(scraped).flatMap(([job, metrics]) =>
    metrics
      .flatMap(({ samples }) => samples)
      .filter(({ name }) => name === metric)
      .map(({ labels }) => ({ ...labels, job, instance: "localhost" })),
  );
}

function matches(given: string, { operator, value }: Matcher): boolean {
  const same = operator.includes("~") ? new RegExp(`^(?:${value})$`).test(given) : given === value;
  return same !== operator.startsWith("!");
}
