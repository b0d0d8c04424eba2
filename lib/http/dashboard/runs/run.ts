import type { Run } from "../../../domain/run.ts";
import { ask, isTrouble } from "../api.ts";
import { loadAsLive } from "../as-live.ts";
import { fill, h } from "../dom.ts";
import { failed, loading } from "../parts.ts";
import type { View, ViewContext } from "../router.ts";
import { actions } from "./actions.ts";
import { attemptsOf } from "./attempts.ts";
import { stateMark } from "./icons.ts";
import { logOf } from "./log.ts";
import { runFacts } from "./run-facts.ts";
import { progressOf } from "./run-progress.ts";

/** `#/runs/ID`: one run, what it has done, and what it tells, live. */
export const run: View = ({ params, live, signal }) => {
  const path = `/api/runs/${params.id}`;
  const place = h("div", { class: "view" }, loading("the run", "30rem"));
  const head = headOf(`Run ${params.id}`);
  let shown: ReturnType<typeof sheetOf> | undefined;
  let now: Run | undefined;
  let asking = false;

  const show = (run: Run) => {
    shown ??= sheetOf(place, run.id, { live, signal });
    head.update(run, now);
    shown.update(run, now);
    now = run;
  };
  async function load(): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      show(await ask<Run>(path, { signal }));
    } catch (error) {
      if (isTrouble(error, signal) && !shown) fill(place, failed(error, load));
    } finally {
      asking = false;
    }
  }
  const loadNow = () => {
    load().catch(reportError);
  };
  // What is published is counted, and no event: it grows until all that was accepted is.
  const isOnTheWay = () => now !== undefined && now.published < now.accepted;
  live.on("run", (run) => String(run.id) === params.id && show(run), signal);
  live.on("pipeline", () => isOnTheWay() && loadNow(), signal);
  loadAsLive({ live, signal }, { load: loadNow, unanswered: () => !shown });
  return h("div", { class: "view" }, head.element, place);
};

/** Where one is, the run's state, and what can be done with it. */
function headOf(title: string) {
  const state = h("span", { role: "status" });
  const buttons = h("div", { class: "row" });
  const heading = h("h1", { tabindex: -1 }, title);
  const above = h("a", { class: "above", href: "#/runs" }, "All runs");
  return {
    element: h("div", {}, above, h("div", { class: "view-head" }, heading, state, buttons)),
    update: (run: Run, before: Run | undefined) => {
      const same = run.state === before?.state && run.cancelRequested === before.cancelRequested;
      if (same) return;
      fill(state, stateMark(run.state));
      const hadFocus = buttons.contains(document.activeElement);
      fill(buttons, actions(run));
      if (hadFocus) (buttons.querySelector("button") ?? heading).focus();
    },
  };
}

/** The parts of the view, which stay, and are brought up to date. */
function sheetOf(place: HTMLElement, id: number, given: Pick<ViewContext, "live" | "signal">) {
  const [progress, facts] = [progressOf(given.signal), runFacts()];
  const attempts = attemptsOf(id, given);
  const log = logOf(id, given.signal);
  const section = (name: string, { element }: { readonly element: HTMLElement }) =>
    h("section", { class: "card", "aria-label": name }, element);
  fill(
    place,
    section("Progress", progress),
    section("Log", log),
    section("Attempts", attempts),
    section("Facts", facts),
  );
  return {
    update: (run: Run, before: Run | undefined) => {
      const begun = run.state !== before?.state || run.attempt !== before.attempt;
      if (before && begun) attempts.again();
      progress.update(run);
      facts.update(run);
    },
  };
}
