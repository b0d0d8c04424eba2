import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { addAges } from "../../../lib/metrics/ages.ts";
import { watchEventLoop } from "../../../lib/metrics/event-loop.ts";
import { createExposition } from "../../../lib/metrics/exposition.ts";
import { createProgressRates } from "../../../lib/metrics/progress.ts";
import { createFigures } from "../../../lib/metrics/registry.ts";
import { readMetrics } from "../../metrics.ts";
import { until } from "../../until.ts";
import { users } from "../../users.ts";

describe("an answer", () => {
  const counting = () => {
    const clock = { ms: 0, asked: 0 };
    const figures = { contentType: "text/plain", text: async () => `n ${clock.asked}` };
    const refresh = async () => {
      clock.asked += 1;
      if (clock.asked === 3) throw new Error("a bug");
    };
    const { text } = createExposition(figures, refresh, () => new Date(clock.ms));
    return { clock, text };
  };

  test("is good for a second: however many ask, the servers are asked once", async () => {
    const { clock, text } = counting();
    expect(await Promise.all([text(), text(), text()])).toEqual(["n 1", "n 1", "n 1"]);
    clock.ms = 999;
    expect(await text()).toBe("n 1");
    clock.ms = 1000;
    expect(await text()).toBe("n 2");
    expect(clock.asked).toBe(2);
    clock.ms = 500;
    await text().catch(() => {});
    expect(clock.asked).toBe(3);
  });

  test("that failed is not kept for longer", async () => {
    const { clock, text } = counting();
    for (clock.ms of [0, 1000, 2000]) await text().catch(() => "failed");
    clock.ms = 3000;
    expect(await text()).toBe("n 4");
  });
});

test("ages fall into buckets as prom-client's own would have them", async () => {
  const [user] = users(1);
  if (!user) throw new Error("no user");
  const ages = fc.array(
    fc.oneof(fc.integer({ min: -5, max: 20 }), fc.integer({ max: 4_000_000 })),
    {
      maxLength: 50,
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(ages, { maxLength: 4 }), async (batches) => {
      const figures = createFigures();
      const ours = addAges(figures, "age_seconds", "An age");
      for (const batch of batches) {
        const atMs = 5_000_000_000;
        ours.observe(
          batch.map((ms) => ({ user, version: (atMs - ms) * 1000 })),
          atMs,
        );
      }
      const text = await figures.text();
      const bounds = [...text.matchAll(/le="([\d.]+)"/g)].map(([, bound]) => Number(bound));
      const registry = new Registry();
      const config = { name: "age_seconds", help: "An age", buckets: bounds };
      const theirs = new Histogram({ ...config, registers: [registry] });
      for (const ms of batches.flat()) theirs.observe(Math.max(0, ms) / 1000);
      const samples = (from: string) =>
        readMetrics(from)[0]?.samples.map(({ name, labels, value }) => [
          `${name} ${labels.le}`,
          Number(value.toFixed(6)),
        ]);
      expect(samples(text)).toEqual(samples(await registry.metrics()));
      expect(bounds.length).toBeGreaterThan(10);
    }),
    { numRuns: 200 },
  );
});

describe("Spark's rates", () => {
  const rates = () => {
    const clock = { ms: 0 };
    return { clock, progress: createProgressRates(() => clock.ms) };
  };
  const both = ({ inputPerSecond, processedPerSecond }: ReturnType<typeof createProgressRates>) => [
    inputPerSecond(),
    processedPerSecond(),
  ];

  test("are none as long as nothing comes", () => {
    const { clock, progress } = rates();
    expect(both(progress)).toEqual([0, 0]);
    clock.ms = 5000;
    expect(both(progress)).toEqual([0, 0]);
  });

  test("are what came a second, and what could be done in a second of work", () => {
    const { clock, progress } = rates();
    clock.ms = 10_000;
    progress.add({ records: 100, ms: 200 });
    expect(both(progress)).toEqual([10, 500]);
    clock.ms = 24_999;
    expect(both(progress)).toEqual([100 / 15, 500]);
    clock.ms = 25_000;
    expect(both(progress)).toEqual([0, 0]);
  });

  test("count time once in which batches are at work beside each other", () => {
    const { clock, progress } = rates();
    for (const [endMs, ms] of [
      [1000, 500],
      [1200, 100],
      [1400, 800],
      [3000, 1000],
    ] as const) {
      clock.ms = endMs;
      progress.add({ records: 19, ms });
    }
    // From 500 to 1400, and from 2000 to 3000.
    expect(progress.processedPerSecond()).toBe((4 * 19) / 1.9);
  });

  test("are of a shorter time where batches are many, and take no more memory", () => {
    const { clock, progress } = rates();
    const come = (batches: number, everyMs: number) => {
      for (let n = 0; n < batches; n++) {
        clock.ms += everyMs;
        progress.add({ records: 1, ms: everyMs / 2 });
      }
    };
    come(100, 100);
    come(5000, 0.5);
    const [input, processed] = both(progress);
    expect(input).toBeCloseTo(2000, -2);
    expect(processed).toBeCloseTo(4000, -2);
  });
});

test("a timer that could not ring tells for how long", async () => {
  const delays: number[] = [];
  using _ = watchEventLoop((ms) => void delays.push(ms));
  await until(() => delays.length > 0);
  const end = performance.now() + 250;
  while (performance.now() < end);
  await until(() => delays.some((ms) => ms >= 100));
});
