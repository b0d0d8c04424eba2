import type { AttemptOutcome, RunAttempt } from "../../../domain/attempt.ts";
import { ask } from "../api.ts";
import { asked } from "../asked.ts";
import { h } from "../dom.ts";
import { count, duration } from "../format.ts";
import { badge, empty, time } from "../parts.ts";
import type { ViewContext } from "../router.ts";
import { errorChain } from "./error-chain.ts";

/** What became of each attempt of a run. */
export function attemptsOf(run: number, { live, signal }: Pick<ViewContext, "live" | "signal">) {
  const now = asked<{ readonly attempts: readonly RunAttempt[] }>({
    what: "the attempts",
    ask: () => ask(`/api/runs/${run}/attempts`, { signal }),
    show: ({ attempts }) => (attempts.length > 0 ? table(attempts) : empty("Not begun yet")),
    height: "5rem",
    live,
    signal,
  });
  return {
    element: h("div", {}, h("div", { class: "card-head" }, h("h2", {}, "Attempts")), now.element),
    again: () => {
      now.again().catch(reportError);
    },
  };
}

const columns = ["Attempt", "Outcome", "Started", "Duration", "Pages", "Worker"];
/** Left out where there is little room. */
const wide = new Set(["Pages", "Worker"]);

function table(attempts: readonly RunAttempt[]): HTMLElement {
  const names = columns.map((name) =>
    h("th", { scope: "col", class: wide.has(name) ? "wide-only" : "" }, name),
  );
  return h(
    "div",
    { class: "table-wrap", tabindex: 0, role: "group", "aria-label": "Table of attempts" },
    h(
      "table",
      { class: "table attempts" },
      h("caption", { class: "sr" }, "Attempts, the newest first"),
      h("thead", {}, h("tr", {}, names)),
      h("tbody", {}, attempts.toReversed().map(rows)),
    ),
  );
}

function rows({ attempt, outcome, errorChain: chain, pages, worker, ...at }: RunAttempt) {
  const row = h(
    "tr",
    {},
    h("td", {}, attempt),
    h("td", {}, badge(outcome, tones[outcome])),
    h("td", {}, time(at.startedAt)),
    h("td", {}, outcome === "running" ? "–" : duration(at.seconds)),
    h("td", { class: "wide-only" }, count(pages)),
    h("td", { class: "mono worker wide-only", title: worker }, worker),
  );
  if (chain.length === 0) return row;
  return [row, h("tr", { class: "why" }, h("td", { colspan: columns.length }, errorChain(chain)))];
}

const tones: Readonly<Record<AttemptOutcome, Parameters<typeof badge>[1]>> = {
  ...{ running: "busy", success: "good", failed: "bad", cancelled: "warn" },
  ...{ released: "idle", lost: "bad" },
};
