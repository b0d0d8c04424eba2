import type { ConsumerFigures } from "../../../domain/consumer-figures.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { fill, h } from "../dom.ts";
import { bytes, count, duration } from "../format.ts";
import { badge, empty, fact, loading, timeAgo } from "../parts.ts";

/** The consumers at work, as they say themselves. */
export function consumers() {
  const place = h("div", { class: "consumers live" }, loading("the consumers", "6.5rem"));
  const element = h(
    "section",
    { class: "card", "aria-labelledby": "consumers" },
    h("div", { class: "card-head" }, h("h2", { id: "consumers" }, "Consumers")),
    place,
  );
  return {
    element,
    update: ({ consumers }: Pipeline) => {
      if (!consumers) fill(place, empty("Not known", "Kafka does not answer."));
      else if (consumers.length > 0) fill(place, consumers.map(consumer));
      else fill(place, empty("None at work", h("code", {}, "bun run consume"), " starts one."));
    },
  };
}

function consumer(its: ConsumerFigures): HTMLElement {
  const { worker, waiting, lastError } = its;
  const ms = (value: number | undefined) => duration(value === undefined ? null : value / 1000);
  return h(
    "article",
    { class: "consumer" },
    h(
      "div",
      { class: "row" },
      h("h3", { class: "mono" }, worker),
      waiting ? badge("waits", "bad") : badge("works", "good"),
    ),
    waiting && h("p", { class: "station-error" }, `${waiting.what}: ${waiting.reason}`),
    h(
      "dl",
      { class: "facts" },
      fact("Written", count(its.rows)),
      fact("Dead letters", count(its.deadLetters)),
      fact("Batch, p50 / p99", `${ms(its.writeMs?.p50)} / ${ms(its.writeMs?.p99)}`),
      fact("Memory", bytes(its.memoryBytes)),
      fact("Started", timeAgo(its.startedAt)),
      lastError && fact("Last error", timeAgo(lastError.at), ": ", lastError.message),
    ),
  );
}
