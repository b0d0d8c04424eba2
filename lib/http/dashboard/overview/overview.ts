import type { Pipeline } from "../../../domain/pipeline.ts";
import { ask } from "../api.ts";
import { asked } from "../asked.ts";
import { h } from "../dom.ts";
import type { View } from "../router.ts";
import { consumers } from "./consumers.ts";
import { latestUsers } from "./latest.ts";
import { plots } from "./plots.ts";
import { stations } from "./stations.ts";
import { verdict } from "./verdict.ts";

/** `#/`: how everything stands, live. */
export const overview: View = (context) => {
  const { live, signal } = context;
  const [way, said, workers] = [stations(), verdict(), consumers()];
  const both = h("div", { class: "view" }, said.element, way.element);
  const now = asked<Pipeline>({
    what: "the stations",
    ask: () => ask("/api/pipeline", { signal }),
    show: (pipeline) => {
      way.update(pipeline);
      said.update(pipeline);
      workers.update(pipeline);
      return both;
    },
    height: "13.5rem",
    live,
    signal,
  });
  live.on("pipeline", now.take, signal);
  return h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", {}, "Overview")),
    now.element,
    plots(context),
    h("div", { class: "overview-end" }, workers.element, latestUsers(context)),
  );
};
