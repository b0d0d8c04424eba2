import type { Run } from "../../../domain/run.ts";
import { h, list, mark, say } from "../dom.ts";
import { duration } from "../format.ts";
import { time } from "../parts.ts";
import { actions } from "./actions.ts";
import { stateMark } from "./icons.ts";
import { fetchedText, timeOf } from "./words.ts";

export interface RunTable {
  readonly element: HTMLElement;
  show(runs: readonly Run[]): void;
}

/** Runs in rows. A row is made once, and stays as long as its run is shown. */
export function runTable(): RunTable {
  const body = h("tbody", {});
  const memory = new Map<string | number, HTMLTableRowElement>();
  const shown = new WeakMap<HTMLTableRowElement, Run>();
  const update = (row: HTMLTableRowElement, run: Run) => {
    if (shown.get(row) === run) return;
    shown.set(row, run);
    const active = row.contains(document.activeElement) ? document.activeElement : null;
    const name = active?.getAttribute("data-action");
    row.replaceChildren(...cells(run));
    if (active?.tagName === "A") row.querySelector("a")?.focus();
    if (!name) return;
    // What was pressed is gone where the run has ended: the row's run is next to it.
    const again = row.querySelector<HTMLElement>(`[data-action="${name}"]`);
    (again ?? row.querySelector("a"))?.focus();
  };
  return {
    element: h(
      "div",
      { class: "table-wrap" },
      h(
        "table",
        { class: "table runs-table" },
        h("caption", { class: "sr" }, "Runs"),
        head(),
        body,
      ),
    ),
    show: (runs) =>
      list(body, runs, {
        key: ({ id }) => id,
        make: (run) => {
          const row = h("tr", {});
          update(row, run);
          return row;
        },
        update,
        memory,
      }),
  };
}

const columns = [
  ["Run", ""],
  ["State", ""],
  ["Trigger", "wide-only"],
  ["Logical time", ""],
  ["Users", "number"],
  ["Attempt", "number wide-only"],
  ["Duration", "number wide-only"],
] as const;

function head(): HTMLElement {
  const names = columns.map(([name, kind]) => h("th", { scope: "col", class: kind }, name));
  return h(
    "thead",
    {},
    h(
      "tr",
      {},
      names,
      h("th", { scope: "col", class: "wide-only" }, h("span", { class: "sr" }, "Actions")),
    ),
  );
}

function cells(run: Run): HTMLElement[] {
  const made = run.logicalTime === null ? h("span", { class: "muted" }, " made") : null;
  const values = [
    h("a", { href: `#/runs/${run.id}` }, `#${run.id}`),
    stateMark(run.state),
    run.trigger,
    [time(timeOf(run)), made],
    users(run),
    run.attempt,
    duration(run.seconds),
  ];
  const all = values.map((value, n) => h("td", { class: columns[n]?.[1] ?? "" }, value));
  const error = run.error === null ? undefined : run.error;
  if (error) mark(all[1] as HTMLElement, "title", error);
  return [...all, h("td", { class: "end wide-only" }, actions(run, { small: true }))];
}

function users(run: Run): HTMLElement {
  const made = h("span", {});
  say(made, fetchedText(run));
  if (run.rejected > 0) made.append(h("span", { class: "rejected" }, ` ${run.rejected} rejected`));
  return made;
}
