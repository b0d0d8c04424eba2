import type { BackfillRun } from "../../../domain/backfill.ts";
import { h } from "../dom.ts";
import { count } from "../format.ts";
import { empty, time } from "../parts.ts";
import { stateMark } from "../runs/icons.ts";

/** More than anybody reads one by one; the rest is counted. */
const shownRuns = 200;

/** What a backfill would run: how many, and which. */
export function listed(runs: readonly BackfillRun[]): HTMLElement {
  if (runs.length === 0) {
    return empty(
      "Nothing to run",
      h("span", {}, "No logical time of this range is due and without a run."),
    );
  }
  const fresh = runs.filter(({ id }) => id === null).length;
  const words = [
    ...(fresh > 0 ? [`${count(fresh)} new`] : []),
    ...(fresh < runs.length ? [`${count(runs.length - fresh)} run again`] : []),
  ];
  const more = runs.length - shownRuns;
  return h(
    "div",
    {},
    h(
      "p",
      {},
      h("strong", {}, `${count(runs.length)} runs would be made`),
      `: ${words.join(", ")}`,
    ),
    h(
      "ol",
      { class: "would-run", tabindex: 0, "aria-label": "Runs, in their order" },
      runs.slice(0, shownRuns).map(item),
    ),
    more > 0 && h("p", { class: "muted" }, `and ${count(more)} more`),
  );
}

function item({ logicalTime, id, state }: BackfillRun): HTMLElement {
  const known = id === null ? null : [h("a", { href: `#/runs/${id}` }, `#${id}`), " "];
  return h(
    "li",
    {},
    time(logicalTime),
    " ",
    known,
    state ? stateMark(state) : h("span", { class: "muted" }, "new"),
  );
}
