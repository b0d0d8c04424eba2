import { type Measured, rateRow } from "./figures.ts";
import { ourSide, runSide } from "./side.ts";
import { alternate, type Stage, stepsOf } from "./stage.ts";

/** From the outbox to acknowledged records, against taking alone and publishing alone, one after the other. */
export const relay: Stage = {
  name: "relay",
  steps: (bench) => 1 + stepsOf(bench, 2),
  run: async (bench) => {
    await using pipeline = await bench.pipeline();
    const { settings } = pipeline;
    const { signal } = bench;
    const { warm, count } = bench.sizes.relay;
    bench.step("relay: filling raw_users");
    await runSide(ourSide("raw", "ours", 0, warm + count), { settings, signal });
    const side = (mode: string) => (): Promise<Measured> =>
      runSide(ourSide("relay", mode, warm, count), { settings, signal });
    const { ours = [], limit = [] } = await alternate(bench, "relay", {
      ours: side("ours"),
      limit: async () => sum(await side("take")(), await side("publish")()),
    });
    const rounds = { stage: "relay", what: "outbox to topic", ours, limit, limitName: "sides" };
    return [rateRow(rounds)];
  },
};

function sum(a: Measured, b: Measured): Measured {
  return {
    records: a.records,
    seconds: a.seconds + b.seconds,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    peakMb: Math.max(a.peakMb, b.peakMb),
  };
}
