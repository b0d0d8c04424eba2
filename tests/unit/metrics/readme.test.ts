import { expect, test } from "bun:test";
import { join } from "node:path";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumerMetrics } from "../../../lib/metrics/consumer.ts";
import { openServiceMetrics } from "../../../lib/metrics/service.ts";
import { labelsOf, type Metric, readMetrics } from "../../metrics.ts";
import { standing } from "../../standing.ts";

const now = () => new Date();

/** What both processes tell when everything is there to be told of. */
async function all(): Promise<Readonly<Record<"ingest" | "consume", readonly Metric[]>>> {
  using service = await openServiceMetrics({ log, now });
  service.watch({
    now: async () => standing,
    partitions: () => [{ partition: 0, end: 50, next: 30, lag: 20 }],
  });
  using consumer = await openConsumerMetrics({ log, now });
  const health = () => ({ up: true, since: null, lastError: null });
  consumer.watch({
    topic: { now: async () => new Map([[0, 20]]), health },
    table: { now: async () => {}, health },
  });
  return {
    ingest: readMetrics(await service.text()),
    consume: readMetrics(await consumer.text()),
  };
}

test("README lists every metric with its type, labels, process and help text", async () => {
  const { ingest, consume } = await all();
  const names = [...new Set([...ingest, ...consume].map(({ name }) => name))];
  const rows = names.map((name) => {
    const found = [ingest, consume].flatMap(
      (each) => each.find((metric) => metric.name === name) ?? [],
    );
    const [first] = found;
    if (!first) throw new Error(`no ${name}`);
    const labels = [...new Set(found.flatMap(labelsOf))].map((label) => `\`${label}\``).join(", ");
    const of = found.length === 2 ? "both" : ingest.includes(first) ? "`ingest`" : "`consume`";
    const help = [...new Set(found.map((each) => each.help))].join("; of `consume`: ");
    return `| \`${name}\` | ${first.type} | ${of} | ${labels} | ${help} |`;
  });
  const readme = await Bun.file(join(import.meta.dir, "../../../README.md")).text();
  const [, section = ""] = /^## Metrics\n(.*?)^## /ms.exec(readme) ?? [];
  const listed = section.split("\n").filter((line) => line.startsWith("| `"));
  expect(listed.toSorted()).toEqual(rows.toSorted());
});

test("every metric is named, typed and explained as Prometheus advises", async () => {
  const { ingest, consume } = await all();
  for (const { name, type, help } of [...ingest, ...consume]) {
    expect(name).toMatch(/^(pipeline|process)_[a-z_]+$/);
    expect([name, type === "counter"]).toEqual([name, name.endsWith("_total")]);
    // Seconds and bytes; no other unit of time or size, and no type in a name.
    expect(name).not.toMatch(
      /(milli|micro|nano)?seconds_(total_)?ms|_ms$|_kb|minutes|hours|gauge|counter|histogram/,
    );
    if (type === "histogram") expect(name).toMatch(/_(seconds|records)$/);
    expect(help).toMatch(/^[A-Z].{10,}[^.]$/);
  }
});
