import { atLeast, rateRow } from "./figures.ts";
import { ourSide, runSide } from "./side.ts";
import { alternate, type Stage, stepsOf } from "./stage.ts";

/** Pages into raw_users and the outbox, a transaction each, against COPY of the same text. */
export const raw: Stage = {
  name: "raw",
  steps: (bench) => stepsOf(bench, 2),
  run: async (bench) => {
    await using pipeline = await bench.pipeline();
    const { settings } = pipeline;
    const { signal } = bench;
    const { warm, count } = bench.sizes.raw;
    const side = (mode: string) => () =>
      runSide(ourSide("raw", mode, warm, count), { settings, signal });
    const { ours = [], COPY = [] } = await alternate(bench, "raw", {
      ours: side("ours"),
      COPY: side("copy"),
    });
    const rounds = {
      stage: "raw",
      what: "pages with outbox",
      ours,
      limit: COPY,
      limitName: "COPY",
    };
    return [rateRow(rounds, ({ ratio }) => [atLeast("ratio", ratio?.median, 0.6)])];
  },
};
