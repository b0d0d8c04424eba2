import { reasonOf } from "./api.ts";
import { type Child, h } from "./dom.ts";
import { button } from "./parts.ts";

const shownMs = 6000;
const most = 4;

/** Says what has just happened, for a moment; screen readers hear it. */
export function toast(...text: readonly Child[]): void {
  add("good", text);
}

/** Says what went wrong, until somebody has seen that. */
export function toastError(error: unknown): void {
  add("bad", [reasonOf(error)]);
}

/** Where toasts appear. There from the start: what comes into being with its text is not read out. */
export function toastRegion(): HTMLElement {
  return h("div", { class: "toasts", role: "status", "aria-live": "polite", id: "toasts" });
}

function add(tone: "good" | "bad", text: readonly Child[]): void {
  const region = document.getElementById("toasts");
  const made: HTMLElement = h(
    "div",
    { class: "toast", "data-tone": tone },
    h("div", {}, ...text),
    button("×", () => made.remove(), { kind: "quiet small", "aria-label": "Dismiss" }),
  );
  region?.append(made);
  while ((region?.childElementCount ?? 0) > most) region?.firstElementChild?.remove();
  if (tone === "good") setTimeout(() => made.remove(), shownMs);
}
