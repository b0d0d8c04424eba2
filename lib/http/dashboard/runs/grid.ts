import type { Run } from "../../../domain/run.ts";
import { h, mark } from "../dom.ts";
import { eachFrame } from "./each-frame.ts";
import { reshape, stateShape } from "./icons.ts";
import { columnsIn, moved, pitchPx, rowsInSight, rowsOf } from "./squares.ts";
import { tipFor } from "./tip.ts";
import { runLabel } from "./words.ts";

/** One square a run. Elements are made only for the squares in sight, however many there are. */
export interface RunGrid {
  readonly element: HTMLElement;
  /** Shows these, the newest first. */
  show(runs: readonly Run[]): void;
}

interface Square {
  readonly cell: HTMLElement;
  readonly link: HTMLAnchorElement;
  run: Run | undefined;
}

interface Row {
  readonly element: HTMLElement;
  readonly squares: Square[];
}

/** `onEnd` is told when the last squares come into sight. */
export function runGrid({
  signal,
  onEnd,
}: {
  readonly signal: AbortSignal;
  readonly onEnd: () => void;
}): RunGrid {
  let runs: readonly Run[] = [];
  let columns = 1;
  /** The run that the keyboard is at. */
  let current: number | undefined;
  const rows = new Map<number, Row>();
  const inner = h("div", { class: "squares-rows", role: "rowgroup" });
  const element = h(
    "div",
    { class: "squares", role: "grid", "aria-label": "Runs, the newest first" },
    inner,
  );
  const tip = tipFor(element, runAt, signal);
  const drawSoon = eachFrame(draw, signal);

  function runAt(target: Element): Run | undefined {
    const id = Number(target.closest<HTMLElement>(".square")?.dataset.id);
    return runs.find((run) => run.id === id);
  }

  function draw(): void {
    const hadFocus = element.contains(document.activeElement);
    const shape = { count: runs.length, columns };
    const at = place();
    const [first, end] = rowsInSight(shape, {
      topPx: element.scrollTop,
      heightPx: element.clientHeight,
    });
    const wanted = new Set(Array.from({ length: end - first }, (_, n) => first + n));
    // The row with the focus stays, wherever one scrolls.
    if (runs.length > 0) wanted.add(Math.floor(at / columns));
    inner.style.setProperty("height", `${rowsOf(shape) * pitchPx}px`);
    mark(element, "aria-rowcount", String(rowsOf(shape)));
    for (const [index, row] of rows) {
      if (wanted.has(index)) continue;
      row.element.remove();
      rows.delete(index);
    }
    for (const index of [...wanted].toSorted((a, b) => a - b)) drawRow(index, at);
    const link = squareAt(at)?.link;
    if (hadFocus && link !== document.activeElement) link?.focus({ preventScroll: true });
    tip.refresh();
    if (end * columns >= runs.length) onEnd();
  }

  function drawRow(index: number, at: number): void {
    const row = rows.get(index) ?? newRow(index);
    rows.set(index, row);
    const start = index * columns;
    const count = Math.min(columns, runs.length - start);
    while (row.squares.length > count) row.squares.pop()?.cell.remove();
    while (row.squares.length < count) {
      const square = newSquare();
      row.squares.push(square);
      row.element.append(square.cell);
    }
    for (const [n, square] of row.squares.entries()) {
      const run = runs[start + n];
      if (run) drawSquare(square, run);
      square.link.tabIndex = start + n === at ? 0 : -1;
    }
  }

  function newRow(index: number): Row {
    const element = h("div", {
      ...{ class: "squares-row", role: "row", "aria-rowindex": index + 1 },
      css: { transform: `translateY(${index * pitchPx}px)` },
    });
    const next = [...rows.keys()].filter((each) => each > index).toSorted((a, b) => a - b)[0];
    const before = next === undefined ? null : (rows.get(next)?.element ?? null);
    inner.insertBefore(element, before);
    return { element, squares: [] };
  }

  /** Where the run with the focus stands, else the first one. */
  function place(): number {
    return Math.max(0, current === undefined ? 0 : runs.findIndex(({ id }) => id === current));
  }

  function squareAt(at: number): Square | undefined {
    return rows.get(Math.floor(at / columns))?.squares[at % columns];
  }

  function go(to: number): void {
    current = runs[to]?.id;
    const top = Math.floor(to / columns) * pitchPx;
    if (top < element.scrollTop) element.scrollTop = top;
    const bottom = top + pitchPx - element.clientHeight;
    if (bottom > element.scrollTop) element.scrollTop = bottom;
    draw();
    squareAt(to)?.link.focus({ preventScroll: true });
  }

  element.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(element.clientHeight / pitchPx));
    const to = moved(
      event.key,
      place(),
      { count: runs.length, columns },
      {
        page,
        ctrl: event.ctrlKey,
      },
    );
    if (to === undefined || runs.length === 0) return;
    event.preventDefault();
    go(to);
  });
  element.addEventListener("focusin", ({ target }) => {
    const run = target instanceof Element ? runAt(target) : undefined;
    if (run === undefined || run.id === current) return;
    current = run.id;
    drawSoon();
  });
  element.addEventListener("scroll", drawSoon, { passive: true });
  const sizes = new ResizeObserver(() => {
    columns = columnsIn(element.clientWidth);
    mark(element, "aria-colcount", String(columns));
    drawSoon();
  });
  sizes.observe(element);
  signal.addEventListener("abort", () => sizes.disconnect());

  return {
    element,
    show: (now) => {
      runs = now;
      drawSoon();
    },
  };
}

function newSquare(): Square {
  const link = h("a", { class: "square", tabindex: -1 }, stateShape("queued"));
  return { cell: h("div", { role: "gridcell" }, link), link, run: undefined };
}

/** What has not changed is not touched: it is drawn again at each of their events. */
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
