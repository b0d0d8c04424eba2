import type { Backfill } from "../../../domain/backfill.ts";
import { runStates } from "../../../domain/run.ts";
import { fill, h, mark } from "../dom.ts";
import { count } from "../format.ts";
import { badge, button, time } from "../parts.ts";
import { stateMark } from "../runs/icons.ts";
import { cancelBackfill } from "./cancel.ts";

/** One backfill: its range, how far its runs have come, and what cancels it. */
export function backfillCard(first: Backfill) {
  let now = first;
  const head = h("span", { class: "row" });
  const about = h("p", { class: "small muted" });
  const bars = runStates.map((state) => h("div", { "data-run-state": state }));
  const bar = h(
    "div",
    {
      ...{ class: "stacked", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 },
      "aria-label": `Backfill ${first.id}: runs that have ended`,
    },
    bars,
  );
  const counts = h("p", { class: "row small" });
  const cancel = button("Cancel", () => cancelBackfill(now), {
    ...{ kind: "small danger", "aria-label": `Cancel: backfill ${first.id}` },
  });
  const update = (backfill: Backfill) => {
    now = backfill;
    const { id, state, from, to, states } = backfill;
    const known = Math.max(
      1,
      runStates.reduce((sum, each) => sum + states[each], 0),
    );
    const ended = backfill.runs - states.queued - states.running;
    fill(head, h("strong", {}, `Backfill ${id}`), badge(state, tones[state]));
    fill(about, time(from), " to ", time(to), ` · ${wordsOf(backfill)}`);
    for (const [n, each] of runStates.entries()) {
      bars[n]?.style.setProperty("flex-grow", String(states[each] / known));
    }
    mark(bar, "aria-valuenow", String(Math.floor((ended / Math.max(1, backfill.runs)) * 100)));
    fill(
      counts,
      h("span", {}, `${count(ended)} of ${count(backfill.runs)} ended`),
      runStates.filter((each) => states[each] > 0).map((each) => countOf(backfill, each)),
    );
    cancel.hidden = state !== "running";
  };
  update(first);
  return {
    element: h(
      "li",
      { class: "backfill" },
      h("div", { class: "card-head" }, head, cancel),
      ...[about, bar, counts],
    ),
    update,
  };
}

/** How many are in a state, which leads to them. */
function countOf({ from, to, states }: Backfill, state: (typeof runStates)[number]): HTMLElement {
  const query = new URLSearchParams({ state, from, to });
  return h(
    "a",
    { class: "count-link", href: `#/runs?${query}` },
    stateMark(state),
    ` ${count(states[state])}`,
  );
}

function wordsOf({ reprocess, order, maxActiveRuns }: Backfill): string {
  const which = { none: "new times only", failed: "failed ones too", completed: "ended ones too" };
  const beside = maxActiveRuns === 1 ? "one at a time" : `${maxActiveRuns} at once`;
  return `${which[reprocess]} · the ${order} first · ${beside}`;
}

const tones = { running: "busy", done: "good", cancelled: "warn" } as const;
