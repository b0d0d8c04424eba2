import type { Run } from "../../../domain/run.ts";
import { h, mark } from "../dom.ts";
import { eachFrame } from "./each-frame.ts";
import { gridRows } from "./grid-rows.ts";
import { columnsIn, moved, pitchPx, rowsInSight, rowsOf } from "./squares.ts";
import { tipFor } from "./tip.ts";

/** One square a run. Elements are made only for the squares in sight, however many there are. */
export interface RunGrid {
  readonly element: HTMLElement;
  /** Shows these, the newest first. */
  show(runs: readonly Run[]): void;
}

export interface RunGridOptions {
  readonly signal: AbortSignal;
  /** Told when the last squares come into sight. */
  readonly onEnd: () => void;
}

export function runGrid({ signal, onEnd }: RunGridOptions): RunGrid {
  let runs: readonly Run[] = [];
  let columns = 1;
  /** The run that the keyboard is at: it stays that, wherever it moves. */
  let current: number | undefined;
  const rows = gridRows();
  const element = h(
    "div",
    { class: "squares", role: "grid", "aria-label": "Runs, the newest first" },
    rows.element,
  );
  const runAt = (target: Element) => {
    const id = Number(target.closest<HTMLElement>(".square")?.dataset.id);
    return runs.find((run) => run.id === id);
  };
  const tip = tipFor(element, runAt, signal);
  const drawSoon = eachFrame(draw, signal);
  const shape = () => ({ count: runs.length, columns });
  const place = () => Math.max(0, current ? runs.findIndex(({ id }) => id === current) : 0);

  function draw(): void {
    const hadFocus = element.contains(document.activeElement);
    const { scrollTop: topPx, clientHeight: heightPx } = element;
    const at = place();
    const [first, end] = rowsInSight(shape(), { topPx, heightPx });
    const wanted = new Set(Array.from({ length: end - first }, (_, n) => first + n));
    // The row with the focus stays, wherever one scrolls.
    if (runs.length > 0) wanted.add(Math.floor(at / columns));
    rows.draw(runs, { ...shape(), wanted, at });
    mark(element, "aria-rowcount", String(rowsOf(shape())));
    const link = rows.linkAt(at, shape());
    if (hadFocus && link !== document.activeElement) link?.focus({ preventScroll: true });
    tip.refresh();
    if (end * columns >= runs.length) onEnd();
  }

  function go(to: number): void {
    current = runs[to]?.id;
    const top = Math.floor(to / columns) * pitchPx;
    const lowest = top + pitchPx - element.clientHeight;
    element.scrollTop = Math.min(top, Math.max(lowest, element.scrollTop));
    draw();
    rows.linkAt(to, shape())?.focus({ preventScroll: true });
  }

  element.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(element.clientHeight / pitchPx));
    const to = moved(event.key, place(), shape(), { page, ctrl: event.ctrlKey });
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
