import type { Pipeline } from "../../../domain/pipeline.ts";
import { ask } from "../api.ts";
import { asked } from "../asked.ts";
import { h } from "../dom.ts";
import type { View } from "../router.ts";
import { plots } from "./plots.ts";
import { stations } from "./stations.ts";

/** `#/`: how everything stands, live. */
export const overview: View = (context) => {
  const { live, signal } = context;
  const way = stations();
  const now = asked<Pipeline>({
    what: "the stations",
    ask: () => ask("/api/pipeline", { signal }),
    show: (pipeline) => {
      way.update(pipeline);
      return way.element;
    },
    height: "9rem",
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
  );
};
