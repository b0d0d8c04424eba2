import type { RunState } from "./run.ts";
import type { TraceContext } from "./trace-context.ts";

/** Runs for the logical times of a range, apart from the schedule. */
export interface Backfill {
  readonly id: number;
  /** Logical times from this one on, and before `to`; ISO 8601, UTC. */
  readonly from: string;
  readonly to: string;
  readonly reprocess: Reprocess;
  readonly order: BackfillOrder;
  /** How many of its runs are performed at once, from 1 to 100. */
  readonly maxActiveRuns: number;
  readonly state: BackfillState;
  /** Runs that were made or begun again. */
  readonly runs: number;
  /** How many of these are in each state; what retention has removed is in none. */
  readonly states: Readonly<Record<RunState, number>>;
  readonly createdAt: string;
  readonly cancelledAt: string | null;
}

export type BackfillState = (typeof backfillStates)[number];
export const backfillStates = ["running", "done", "cancelled"] as const;

/**
 * What becomes of logical times that have a run. none: it stays. failed: one that has failed or was
 * cancelled or skipped goes on after its last page. completed: one that has ended begins anew.
 */
export type Reprocess = (typeof reprocesses)[number];
export const reprocesses = ["none", "failed", "completed"] as const;

/** Which logical times come first. */
export type BackfillOrder = (typeof backfillOrders)[number];
export const backfillOrders = ["oldest", "newest"] as const;

export interface BackfillRequest {
  readonly from: Date;
  readonly to: Date;
  readonly reprocess: Reprocess;
  readonly order: BackfillOrder;
  readonly maxActiveRuns: number;
  /** What runs that are made ask for. */
  readonly results: number;
  readonly nat: readonly string[];
  /** A UUID: asking again with the same one gives the same backfill. */
  readonly requestId?: string;
  /** What asks for it; without one a trace begins. The runs that it makes belong to the same. */
  readonly trace?: TraceContext;
}

/** One run of a backfill: a new one, or one that is there and begins again. */
export interface BackfillRun {
  readonly logicalTime: string;
  /** The run that is there, and its state; null where one is made. */
  readonly id: number | null;
  readonly state: RunState | null;
}

/** The states in which a run that is there is taken in. */
export function reprocessed(reprocess: Reprocess): readonly RunState[] {
  if (reprocess === "none") return [];
  const unsuccessful: RunState[] = ["failed", "cancelled", "skipped"];
  return reprocess === "failed" ? unsuccessful : [...unsuccessful, "success"];
}

/** A backfill in one line, for people. */
export function backfillText(backfill: Backfill): string {
  const { id, state, from, to, runs, states } = backfill;
  const counts = Object.entries(states).flatMap(([name, n]) => (n > 0 ? [`${n} ${name}`] : []));
  const of = runs === 1 ? "1 run" : `${runs} runs`;
  return `backfill ${id} ${state}: ${of}, ${counts.join(", ") || "none kept"}; from ${from} to ${to}\n`;
}
