import type { Run } from "../../../domain/run.ts";
import { type Child, fill, h } from "../dom.ts";
import { count, duration } from "../format.ts";
import { fact, time, timeAgo } from "../parts.ts";
import { isActive, natText } from "./words.ts";

/** What a run was asked for, when and by whom. */
export function runFacts() {
  const facts = h("dl", { class: "facts" });
  return {
    element: h("div", {}, h("div", { class: "card-head" }, h("h2", {}, "Facts")), facts),
    update: (run: Run) => fill(facts, factsOf(run)),
  };
}

function factsOf(run: Run): Child[] {
  return [
    fact("Trigger", run.trigger),
    run.logicalTime === null ? null : fact("Logical time", time(run.logicalTime)),
    fact("Users asked for", count(run.results)),
    fact("Nationalities", natText(run.nat)),
    fact("Seed", h("code", {}, run.seed)),
    fact("Attempt", count(run.attempt)),
    fact("Pages committed", count(run.pages)),
    fact("Made", time(run.createdAt)),
    fact("Started", time(run.startedAt)),
    fact("Finished", time(run.finishedAt)),
    fact("Duration", duration(run.seconds)),
    run.notBefore && isActive(run.state) ? fact("Next attempt", timeAgo(run.notBefore)) : null,
    run.state === "running" ? fact("Worker last heard of", timeAgo(run.heartbeatAt)) : null,
    long("Trace", run.traceId),
    run.worker === null ? null : long("Worker", run.worker),
  ];
}

/** What is too long for a column. */
function long(name: string, value: string): HTMLElement {
  const made = fact(name, h("code", {}, value));
  made.classList.add("long");
  return made;
}
