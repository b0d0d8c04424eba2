import type { Run } from "../../../domain/run.ts";
import { h, mark } from "../dom.ts";
import { reshape, stateShape } from "./icons.ts";
import { pitchPx, rowsOf, type Squares } from "./squares.ts";
import { runLabel } from "./words.ts";

interface Square {
  readonly cell: HTMLElement;
  readonly link: HTMLAnchorElement;
  run: Run | undefined;
}

interface Row {
  readonly element: HTMLElement;
  readonly squares: Square[];
}

/** The rows of squares in sight, and few others: one that goes out of sight is the next that comes in. */
export function gridRows() {
  const rows = new Map<number, Row>();
  const element = h("div", { class: "squares-rows", role: "rowgroup" });

  /** Where the reader of a screen expects it: rows stand in the order of their numbers. */
  function place(index: number, row: Row): void {
    const { element: placed } = row;
    mark(placed, "aria-rowindex", String(index + 1));
    placed.style.setProperty("transform", `translateY(${index * pitchPx}px)`);
    const next = [...rows.keys()].filter((each) => each > index).toSorted((a, b) => a - b)[0];
    element.insertBefore(placed, next === undefined ? null : (rows.get(next)?.element ?? null));
    rows.set(index, row);
  }

  return {
    element,
    linkAt: (at: number, { columns }: Squares) =>
      rows.get(Math.floor(at / columns))?.squares[at % columns]?.link,
    /** Shows the wanted rows and no others. `at`: the square that the Tab key leads to. */
    draw: (
      runs: readonly Run[],
      { wanted, at, ...shape }: Squares & { readonly wanted: ReadonlySet<number>; at: number },
    ) => {
      element.style.setProperty("height", `${rowsOf(shape) * pitchPx}px`);
      const spare: Row[] = [];
      for (const [index, row] of rows) {
        if (wanted.has(index)) continue;
        spare.push(row);
        rows.delete(index);
      }
      for (const index of wanted) {
        if (!rows.has(index)) place(index, spare.pop() ?? newRow());
        const row = rows.get(index);
        const start = index * shape.columns;
        if (row) drawRow(row, runs.slice(start, start + shape.columns), at - start);
      }
      for (const row of spare) row.element.remove();
    },
  };
}

function newRow(): Row {
  return { element: h("div", { class: "squares-row", role: "row" }), squares: [] };
}

function drawRow({ element, squares }: Row, runs: readonly Run[], at: number): void {
  while (squares.length > runs.length) squares.pop()?.cell.remove();
  while (squares.length < runs.length) {
    const square = newSquare();
    squares.push(square);
    element.append(square.cell);
  }
  for (const [n, run] of runs.entries()) {
    const square = squares[n];
    if (!square) continue;
    drawSquare(square, run);
    mark(square.link, "tabindex", n === at ? "0" : "-1");
  }
}

function newSquare(): Square {
  const link = h("a", { class: "square", tabindex: -1 }, stateShape("queued"));
  return { cell: h("div", { role: "gridcell" }, link), link, run: undefined };
}

/** What has not changed is not touched: all squares in sight are drawn at each event. */
function drawSquare(square: Square, run: Run): void {
  if (square.run === run) return;
  const { link } = square;
  if (square.run?.id !== run.id) {
    link.href = `#/runs/${run.id}`;
    link.dataset.id = String(run.id);
  }
  if (square.run?.state !== run.state) {
    link.dataset.runState = run.state;
    if (link.firstElementChild) reshape(link.firstElementChild, run.state);
  }
  mark(link, "aria-label", runLabel(run));
  square.run = run;
}
