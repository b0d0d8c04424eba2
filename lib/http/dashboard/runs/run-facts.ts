import type { Run } from "../../../domain/run.ts";
import { type Child, fill, h } from "../dom.ts";
import { count, duration } from "../format.ts";
import { fact, time, timeAgo } from "../parts.ts";
import { errorChain } from "./error-chain.ts";
import { isActive, natText } from "./words.ts";

/** What a run was asked for, when and by whom, and why it failed. */
export function runFacts() {
  const facts = h("dl", { class: "facts" });
  const error = h("div", {});
  return {
    element: h("div", {}, h("div", { class: "card-head" }, h("h2", {}, "Facts")), error, facts),
    update: (run: Run) => {
      fill(facts, factsOf(run));
      fill(error, run.errorChain.length > 0 && errorChain(run.errorChain));
    },
  };
}

function factsOf(run: Run): Child[] {
  const made = run.trigger === "manual" ? "by hand, or by HTTP" : `by the ${run.trigger}`;
  return [
    fact("Trigger", `${run.trigger} `, h("span", { class: "muted small" }, made)),
    run.logicalTime === null ? null : fact("Logical time", time(run.logicalTime)),
    fact("Users asked for", count(run.results)),
    fact("Nationalities", natText(run.nat)),
    fact("Seed", h("code", {}, run.seed)),
    fact("Trace", h("code", {}, run.traceId)),
    fact("Attempt", count(run.attempt)),
    fact("Pages committed", count(run.pages)),
    fact("Made", time(run.createdAt)),
    fact("Started", time(run.startedAt)),
    fact("Finished", time(run.finishedAt)),
    fact("Duration", duration(run.seconds)),
    run.notBefore && isActive(run.state) ? fact("Next attempt", timeAgo(run.notBefore)) : null,
    run.worker === null ? null : fact("Worker", h("code", {}, run.worker)),
    run.state === "running" ? fact("Worker last heard of", timeAgo(run.heartbeatAt)) : null,
  ];
}
