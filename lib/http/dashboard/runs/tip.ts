import type { Run } from "../../../domain/run.ts";
import { fill, h } from "../dom.ts";
import { duration, moment, utc } from "../format.ts";
import { stateMark } from "./icons.ts";
import { fetchedText, timeOf } from "./words.ts";

/** So long it stays when the pointer goes, on its way to it perhaps. */
const leaveMs = 150;

export interface Tip {
  /** Shows its run as it is now. */
  refresh(): void;
}

/**
 * What there is to know of a run, beside the square that the pointer or the focus is at. Escape takes
 * it away. It is for those who see: others hear the same as the name of the square.
 */
export function tipFor(
  area: HTMLElement,
  runAt: (target: Element) => Run | undefined,
  signal: AbortSignal,
): Tip {
  const tip = h("div", { class: "tip", "aria-hidden": "true", hidden: true });
  let at: Element | undefined;
  let leaving: ReturnType<typeof setTimeout> | undefined;

  const hide = () => {
    clearTimeout(leaving);
    at = undefined;
    tip.hidden = true;
  };
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, leaveMs);
  };
  const show = ({ target }: Event) => {
    const square = target instanceof Element ? target.closest(".square") : null;
    if (!square) return;
    clearTimeout(leaving);
    at = square;
    refresh();
  };
  function refresh(): void {
    const run = at && runAt(at);
    if (!at?.isConnected || !run) {
      hide();
      return;
    }
    fill(tip, content(run));
    if (!tip.isConnected) document.body.append(tip);
    tip.hidden = false;
    put(tip, at.getBoundingClientRect());
  }

  area.addEventListener("pointerover", show);
  area.addEventListener("focusin", show);
  area.addEventListener("pointerleave", leave);
  area.addEventListener("focusout", leave);
  area.addEventListener("scroll", hide, { passive: true });
  tip.addEventListener("pointerenter", () => clearTimeout(leaving));
  tip.addEventListener("pointerleave", leave);
  addEventListener("scroll", hide, { passive: true, signal });
  addEventListener("keydown", ({ key }) => key === "Escape" && hide(), { signal });
  signal.addEventListener("abort", () => {
    hide();
    tip.remove();
  });
  return { refresh };
}

function content(run: Run): Node[] {
  const row = (name: string, value: string) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  const what = run.logicalTime === null ? "Made" : "Logical time";
  return [
    h("div", { class: "tip-head" }, h("strong", {}, `Run ${run.id}`), stateMark(run.state)),
    h(
      "dl",
      {},
      row("Trigger", run.trigger),
      row(what, moment(timeOf(run))),
      row("", utc(timeOf(run))),
      row("Users", fetchedText(run)),
      run.seconds === null ? [] : row("Duration", duration(run.seconds)),
      run.attempt > 1 ? row("Attempt", String(run.attempt)) : [],
    ),
    ...(run.error === null ? [] : [h("p", { class: "tip-error" }, run.error)]),
  ];
}

/** Below the square where there is room, else above it; never beside the window. */
function put(tip: HTMLElement, square: DOMRect): void {
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = Math.min(Math.max(8, square.left), innerWidth - width - 8);
  const below = square.bottom + height + 8 < innerHeight;
  const top = below ? square.bottom + 4 : Math.max(8, square.top - height - 4);
  tip.style.setProperty("translate", `${Math.round(left)}px ${Math.round(top)}px`);
}
