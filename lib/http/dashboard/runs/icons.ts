import type { RunState } from "../../../domain/run.ts";
import { h, s } from "../dom.ts";

/* A shape for each state, so that it can be told without its colour. */

const shapes: Readonly<Record<RunState, string>> = {
  queued: "M4 8h.01M8 8h.01M12 8h.01",
  running: "M6 4.2 11.8 8 6 11.8Z",
  success: "m3.6 8.4 3 3 5.8-6.6",
  failed: "m4.4 4.4 7.2 7.2m0-7.2-7.2 7.2",
  cancelled: "M4 8h8",
  skipped: "m3.8 4.4 3.6 3.6-3.6 3.6m4.8-7.2 3.6 3.6-3.6 3.6",
};

export function stateShape(state: RunState): SVGElement {
  return s(
    "svg",
    { class: "shape", viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("path", { d: shapes[state] }),
  );
}

/** Gives a shape the look of another state. */
export function reshape(shape: Element, state: RunState): void {
  shape.firstElementChild?.setAttribute("d", shapes[state]);
}

/** The state of a run: its shape, its word, its colour. */
export function stateMark(state: RunState): HTMLElement {
  return h("span", { class: "state-mark", "data-run-state": state }, stateShape(state), state);
}
