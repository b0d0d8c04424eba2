import { readConfig } from "../../lib/config.ts";
import { consumerProperties } from "../../lib/topic/member.ts";
import { atLeast, atMost, type Measured, rateRow } from "./figures.ts";
import { ourSide, runSide } from "./side.ts";
import { alternate, asArguments, limitOf, type Stage, stepsOf } from "./stage.ts";

/** The consumer against librdkafka in C, reading the same topic from its start. */
export const consume: Stage = {
  name: "consume",
  steps: (bench) => 1 + stepsOf(bench, "path" in bench.programs.kafka ? 3 : 2),
  run: async (bench) => {
    await using pipeline = await bench.pipeline();
    const { signal } = bench;
    const { warm, count } = bench.sizes.consume;
    const { settings, topic } = pipeline;
    // More than are read, so that nobody reaches the end.
    const all = warm + count + 20_000;
    bench.step("consume: filling the topic");
    const file = await bench.records({ count: 20_000 });
    await runSide(ourSide("publish", file, 0, all), { settings, signal });

    let group = 0;
    const fresh = () => ({ ...settings, KAFKA_GROUP: `${topic.group}-${group++}` });
    const side = (mode: string) => (): Promise<Measured> =>
      runSide(ourSide("consume", mode, warm, count), { settings: fresh(), signal });
    const limit = limitOf(bench.programs.kafka, "C", (path) => {
      const properties = asArguments(consumerProperties(readConfig(fresh()).topic));
      const command = [path, "consume", topic.name, `${warm}`, `${count}`, ...properties];
      return runSide(command, { settings, signal });
    });
    const measured = await alternate(bench, "consume", {
      records: side("records"),
      users: side("users"),
      ...limit.sides,
    });
    const { records = [], users = [], C } = measured;
    const against = C ? { limit: C, limitName: "C" } : limit;
    const memory = (peakMb: number | undefined) => atMost("MB", peakMb, 200);
    return [
      rateRow({ stage: "consume", what: "handed over", ours: records, ...against }, (row) => [
        atLeast("ratio", row.ratio?.median, 0.4),
        memory(row.peakMb),
      ]),
      rateRow({ stage: "consume", what: "decoded users", ours: users, ...against }, (row) => [
        atLeast("ratio", row.ratio?.median, 0.15),
        atMost("CPU µs", row.cpuMicros?.median, 7),
        memory(row.peakMb),
      ]),
    ];
  },
};
