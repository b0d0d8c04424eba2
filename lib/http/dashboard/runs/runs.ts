import { loadAsLive } from "../as-live.ts";
import { h } from "../dom.ts";
import { button } from "../parts.ts";
import { place, setQuery, type View } from "../router.ts";
import { filterBar } from "./filter-bar.ts";
import { addressOf, type Filters, filtersOf } from "./filters.ts";
import { gridOfRuns } from "./grid-of-runs.ts";
import { pagesOfRuns } from "./pages.ts";
import { openTrigger } from "./trigger.ts";

/** `#/runs`: the grid of all, and the table of some. The filters stand in the address. */
export const runs: View = ({ query, live, signal }) => {
  let filters = filtersOf(query);
  const grid = gridOfRuns(filters, signal);
  const before = query.get("before")?.match(/^\d{1,15}$/)?.[0];
  const table = pagesOfRuns(filters, before, signal);
  const change = (wanted: Filters) => {
    const address = addressOf(wanted);
    const names = ["state", "trigger", "since", "from", "to"];
    setQuery({ before: null, ...Object.fromEntries(names.map((n) => [n, address.get(n)])) });
    show(wanted);
  };
  const bar = filterBar(filters, change);
  function show(wanted: Filters): void {
    filters = wanted;
    bar.show(filters);
    grid.filter(filters);
    table.filter(filters);
  }
  // A link to this view, with other filters or none.
  const asked = () => {
    const there = filtersOf(place().query);
    if (place().path === "/runs" && `${addressOf(there)}` !== `${addressOf(filters)}`) show(there);
  };
  addEventListener("hashchange", asked, { signal });
  live.on(
    "run",
    (run) => {
      for (const part of [grid, table]) part.put(run);
    },
    signal,
  );
  loadAsLive(
    { live, signal },
    {
      load: () => {
        for (const part of [grid, table]) part.reload();
      },
      unanswered: () => grid.unanswered() || table.unanswered(),
    },
  );
  return h(
    "div",
    { class: "view" },
    h(
      "div",
      { class: "view-head" },
      h("h1", {}, "Runs"),
      button("Trigger a run", () => openTrigger(), { kind: "primary" }),
    ),
    bar.element,
    h("section", { class: "card", "aria-label": "Grid of runs" }, grid.element),
    h("section", { class: "card", "aria-label": "Table of runs" }, table.element),
  );
};
