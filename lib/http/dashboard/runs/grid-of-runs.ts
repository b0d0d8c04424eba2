import type { Run } from "../../../domain/run.ts";
import { ask, isTrouble } from "../api.ts";
import { fill, h, say } from "../dom.ts";
import { count } from "../format.ts";
import { empty, failed, loading } from "../parts.ts";
import { createBook } from "./book.ts";
import { eachFrame } from "./each-frame.ts";
import { type Filters, isAll, passes, queryOf } from "./filters.ts";
import { runGrid } from "./grid.ts";
import { legend } from "./legend.ts";
import type { RunPage, RunsPart } from "./part.ts";

/** Asked for at once: some screens full of squares. */
const pageRuns = 500;
/** The most that the service gives at once. */
const mostRuns = 1000;

/** The grid of all runs that pass, of which older ones are asked for as one scrolls down to them. */
export function gridOfRuns(first: Filters, signal: AbortSignal): RunsPart {
  let filters = first;
  let complete = false;
  let unanswered = true;
  let asking: AbortController | undefined;
  const book = createBook();
  const grid = runGrid({ signal, onEnd: () => complete || asking || more() });
  const title = h("h2", {}, "Grid");
  const total = h("span", { class: "muted small" });
  const place = h("div", { class: "squares-place" }, loading("runs", "5rem"));

  const showSoon = eachFrame(show, signal);

  function show(): void {
    const runs = book.runs;
    const words = runs.length === 1 ? "1 run" : `${count(runs.length)} runs`;
    say(total, complete ? words : `the newest ${words}`);
    if (runs.length === 0) return void fill(place, nothing(filters));
    if (!grid.element.isConnected) fill(place, grid.element);
    grid.show(runs);
  }

  async function load(limit: number, anew: boolean): Promise<void> {
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    book.expect();
    const either = AbortSignal.any([signal, mine.signal]);
    const query = queryOf(filters, Date.now());
    query.set("limit", String(limit));
    const oldest = book.runs.at(-1);
    if (!anew && oldest) query.set("cursor", String(oldest.id));
    try {
      const page = await ask<RunPage>(`/api/runs?${query}`, { signal: either });
      if (asking === mine) asking = undefined;
      unanswered = false;
      if (anew) book.clear();
      complete = page.next === null;
      book.append(page.runs, complete);
      show();
    } catch (error) {
      if (!isTrouble(error, either)) return;
      unanswered = true;
      fill(place, failed(error, reload));
      asking = undefined;
    }
  }

  const more = () => {
    load(pageRuns, false).catch(reportError);
  };
  const reload = () => {
    load(Math.min(mostRuns, Math.max(pageRuns, book.runs.length)), true).catch(reportError);
  };
  return {
    element: h("div", {}, h("div", { class: "card-head" }, title, total, legend()), place),
    filter: (wanted) => {
      filters = wanted;
      book.clear();
      reload();
    },
    reload,
    unanswered: () => unanswered,
    put: (run: Run) => {
      if (book.put(run, passes(run, filters, Date.now()), complete) !== "nothing") showSoon();
    },
  };
}

function nothing(filters: Filters): HTMLElement {
  if (isAll(filters)) {
    return empty("No runs yet", h("span", {}, "Trigger one, or wait for the schedule."));
  }
  return empty("No run passes these filters");
}
