import { readConfig } from "../../lib/config.ts";
import { producerProperties } from "../../lib/topic/producer.ts";
import { atLeast, atMost, rateRow } from "./figures.ts";
import { ourSide, runSide } from "./side.ts";
import { alternate, asArguments, type Bench, limitOf, type Stage, stepsOf } from "./stage.ts";

/** The producer against librdkafka in C: same records, same settings. */
export const publish: Stage = {
  name: "publish",
  steps: (bench) => 2 * stepsOf(bench, "path" in bench.programs.kafka ? 2 : 1),
  run: async (bench) => [await sized(bench, "400 B"), await sized(bench, "1 kB", 1000)],
};

/** As many different records are held by either side, and sent again and again. */
const held = 20_000;

async function sized(bench: Bench, what: string, valueBytes?: number) {
  await using pipeline = await bench.pipeline();
  const { settings, topic } = pipeline;
  const { signal } = bench;
  const { warm, count } = bench.sizes.publish;
  const file = await bench.records({ count: held, ...(valueBytes ? { valueBytes } : {}) });
  const properties = asArguments(producerProperties(readConfig(settings).topic));
  const limit = limitOf(bench.programs.kafka, "C", (path) =>
    runSide([path, "produce", topic.name, file, `${warm}`, `${count}`, ...properties], {
      settings,
      signal,
    }),
  );
  const { ours = [], C } = await alternate(bench, `publish ${what}`, {
    ours: () => runSide(ourSide("publish", file, warm, count), { settings, signal }),
    ...limit.sides,
  });
  const rounds = { stage: "publish", what, ours, ...(C ? { limit: C, limitName: "C" } : limit) };
  return rateRow(rounds, ({ ratio, cpuMicros, limitCpuMicros }) => [
    atLeast("ratio", ratio?.median, 0.6),
    atMost(
      "CPU µs more",
      (cpuMicros?.median ?? Number.NaN) - (limitCpuMicros?.median ?? Number.NaN),
      3,
    ),
  ]);
}
