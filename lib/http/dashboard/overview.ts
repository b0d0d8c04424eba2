import type { Pipeline } from "../../domain/pipeline.ts";
import { ask, isTrouble } from "./api.ts";
import { fill, h } from "./dom.ts";
import { failed, loading } from "./parts.ts";
import type { View } from "./router.ts";
import { stations } from "./stations.ts";

/** `#/`: how everything stands, live. */
export const overview: View = ({ live, signal }) => {
  const way = stations();
  const place = h("div", {}, loading("the stations", "9rem"));
  const show = (pipeline: Pipeline) => {
    way.update(pipeline);
    if (!way.element.isConnected) fill(place, way.element);
  };
  const load = () =>
    ask<Pipeline>("/api/pipeline", { signal })
      .then(show)
      .catch((error: unknown) => {
        if (isTrouble(error, signal)) fill(place, failed(error, load));
      });
  live.on("pipeline", show, signal);
  load().catch(reportError);
  return h(
    "div",
    { class: "view" },
    h("div", { class: "view-head" }, h("h1", {}, "Overview")),
    place,
  );
};
