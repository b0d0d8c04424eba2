import { runStates } from "../../../domain/run.ts";
import { h } from "../dom.ts";
import { stateShape } from "./icons.ts";

/** What the shapes and colours of the squares say. */
export function legend(): HTMLElement {
  const items = runStates.map((state) =>
    h("li", {}, h("span", { class: "square", "data-run-state": state }, stateShape(state)), state),
  );
  return h("ul", { class: "legend", "aria-label": "States" }, items);
}
