import type { Run, RunState } from "../../../domain/run.ts";
import { count, duration, moment } from "../format.ts";

/* Runs in words. */

/** The time a run stands for, else when it was made. */
export function timeOf(run: Run): string {
  return run.logicalTime ?? run.createdAt;
}

/** "4,000 of 10,000"; "10,000" when all are there. */
export function fetchedText({ fetched, results }: Run): string {
  return fetched === results ? count(results) : `${count(fetched)} of ${count(results)}`;
}

/** A run in one line, for those who hear it. */
export function runLabel(run: Run): string {
  const error = run.error === null ? "" : `, ${run.error}`;
  const took = run.seconds === null ? "" : `, ${duration(run.seconds)}`;
  return `Run ${run.id}, ${run.state}, ${run.trigger}, ${moment(timeOf(run))}, ${fetchedText(run)} users${took}${error}`;
}

/** True while a run waits or is performed. */
export function isActive(state: RunState): boolean {
  return state === "queued" || state === "running";
}

/** "gb, us"; "all" where none is chosen. */
export function natText(nat: readonly string[]): string {
  return nat.length === 0 ? "all" : nat.join(", ");
}
