import type { Run } from "../../../domain/run.ts";
import { ask, isTrouble } from "../api.ts";
import { fill, h, say } from "../dom.ts";
import { count } from "../format.ts";
import { button, empty, failed, loading } from "../parts.ts";
import { setQuery } from "../router.ts";
import { createBook } from "./book.ts";
import { eachFrame } from "./each-frame.ts";
import { type Filters, passes, queryOf } from "./filters.ts";
import type { RunPage, RunsPart } from "./part.ts";
import { runTable } from "./table.ts";

const pageRuns = 50;
/** Runs that leave the page come in bursts: it is filled up again after them. */
const refillMs = 400;

/** The table of runs that pass, page by page. Where the page begins stands in the address. */
export function pagesOfRuns(
  first: Filters,
  firstBefore: string | undefined,
  signal: AbortSignal,
): RunsPart {
  let filters = first;
  /** Where this page begins, and those before it: undefined is the first. */
  let way: readonly (string | undefined)[] = firstBefore ? [undefined, firstBefore] : [undefined];
  let next: string | null = null;
  const book = createBook(pageRuns);
  let asking = new AbortController();
  let unanswered = true;
  let refilling: ReturnType<typeof setTimeout> | undefined;
  const table = runTable();
  const place = h("div", { class: "runs-place" }, loading("runs", "20rem"));
  const text = h("span", { class: "muted small" });
  const go = (to: readonly (string | undefined)[]) => {
    way = to;
    setQuery({ before: way.at(-1) ?? null });
    reload();
  };
  const newest = button("Newest", () => go([undefined]), { kind: "small" });
  const newer = button("Newer", () => go(way.slice(0, -1)), { kind: "small" });
  const older = button("Older", () => go([...way, next ?? undefined]), { kind: "small" });

  const showSoon = eachFrame(show, signal);

  function show(): void {
    const { runs } = book;
    const [from, to] = [runs[0], runs.at(-1)];
    say(text, from && to ? `runs ${count(from.id)} to ${count(to.id)}` : "");
    newest.disabled = way.length === 1;
    newer.disabled = way.length === 1;
    older.disabled = next === null;
    if (runs.length === 0) return void fill(place, empty("No runs here"));
    if (!table.element.isConnected) fill(place, table.element);
    table.show(runs);
  }

  async function load(): Promise<void> {
    asking.abort();
    clearTimeout(refilling);
    asking = new AbortController();
    book.expect();
    const either = AbortSignal.any([signal, asking.signal]);
    const query = queryOf(filters, Date.now());
    query.set("limit", String(pageRuns));
    const cursor = way.at(-1);
    if (cursor !== undefined) query.set("cursor", cursor);
    try {
      const page = await ask<RunPage>(`/api/runs?${query}`, { signal: either });
      unanswered = false;
      book.clear();
      book.append(page.runs, page.next === null);
      next = book.cut ?? page.next;
      show();
    } catch (error) {
      if (!isTrouble(error, either)) return;
      unanswered = true;
      fill(place, failed(error, reload));
    }
  }
  const reload = () => {
    load().catch(reportError);
  };

  /** Newer than all of this page: a matter of the page before. */
  const isBefore = ({ id }: Run) => way.length > 1 && id >= Number(way.at(-1));
  signal.addEventListener("abort", () => clearTimeout(refilling));
  return {
    element: h(
      "div",
      {},
      h("div", { class: "card-head" }, h("h2", {}, "Runs in detail"), text),
      place,
      h("div", { class: "pager", role: "group", "aria-label": "Pages" }, newest, newer, older),
    ),
    filter: (wanted) => {
      filters = wanted;
      way = [undefined];
      reload();
    },
    reload,
    unanswered: () => unanswered,
    put: (run) => {
      if (isBefore(run)) return;
      const before = book.runs.length;
      const changed = book.put(run, passes(run, filters, Date.now()), next === null);
      if (changed === "nothing") return;
      if (book.cut !== undefined) next = book.cut;
      showSoon();
      if (book.runs.length < before && next !== null) {
        clearTimeout(refilling);
        refilling = setTimeout(reload, refillMs);
      }
    },
  };
}
