import type { TraceContext } from "./trace-context.ts";

/**
 * One logical run: so many users from the API, in pages. A repeated run asks for the same users,
 * since its seed never changes.
 */
export interface Run {
  readonly id: number;
  readonly trigger: Trigger;
  /** The time a scheduled or backfilled run stands for, whenever it really runs; ISO 8601, UTC. */
  readonly logicalTime: string | null;
  readonly state: RunState;
  /** How often it has been started. */
  readonly attempt: number;
  readonly seed: string;
  /** Users asked for. */
  readonly results: number;
  readonly nat: readonly string[];
  /** Pages committed to the raw store since it was begun, or begun anew. */
  readonly pages: number;
  /** Users received, of these accepted and rejected; accepted ones acknowledged by the topic. */
  readonly fetched: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly published: number;
  /** Why it failed, or why its last attempt did while it waits for the next one. */
  readonly error: string | null;
  /** The same: the messages of the error and of its causes, the outermost first. */
  readonly errorChain: readonly string[];
  /** In the queue after a failed attempt: when it is tried again. ISO 8601, UTC. */
  readonly notBefore: string | null;
  /** Somebody wants it to end; whoever performs it has not heard of that yet. */
  readonly cancelRequested: boolean;
  /** Who performs it, or did so last, and when that one last said that it is alive. */
  readonly worker: string | null;
  readonly heartbeatAt: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Seconds from start to finish, or to now while it runs. */
  readonly seconds: number | null;
  /** The trace that it and its records belong to: 32 hexadecimal digits. */
  readonly traceId: string;
}

export type RunState = (typeof runStates)[number];
export const runStates = [
  "queued",
  "running",
  "success",
  "failed",
  "cancelled",
  "skipped",
] as const;

export type Trigger = (typeof triggers)[number];
export const triggers = ["schedule", "manual", "backfill"] as const;

/** What somebody asks for; the seed is made up when none is given. */
export interface RunRequest {
  readonly trigger: Trigger;
  readonly logicalTime?: Date;
  readonly results: number;
  readonly nat: readonly string[];
  readonly seed?: string;
  /** A UUID: asking again with the same one gives the same run. */
  readonly requestId?: string;
  /** What asks for it; without one the run begins a trace. */
  readonly trace?: TraceContext;
}

/** Which runs to list: the newest first. */
export interface RunFilter {
  readonly limit: number;
  /** Only runs older than this one: where the page before ended. */
  readonly before?: number;
  readonly states?: readonly RunState[];
  readonly triggers?: readonly Trigger[];
  /**
   * From this time on, and before that one: the logical time, or when the run was made where it has
   * none.
   */
  readonly from?: Date;
  readonly to?: Date;
}

/** A run taken by a worker. Only the (run, attempt, worker) that holds it may commit its pages. */
export interface ClaimedRun {
  readonly id: number;
  readonly attempt: number;
  readonly worker: string;
  readonly seed: string;
  readonly results: number;
  readonly nat: readonly string[];
  /** Pages that earlier attempts have committed since the run was begun, or begun anew. */
  readonly pages: number;
  /** Pages of before it was begun anew: the raw store goes on counting. */
  readonly pagesBefore: number;
  /** Users of each page but the last, from the first attempt on. */
  readonly pageUsers: number;
  /** Attempts in a row before this one that failed and kept no page. */
  readonly failures: number;
  /** It is to end without having begun. */
  readonly cancelRequested: boolean;
  readonly trace: TraceContext;
}

/**
 * Users of a page, in runs that are made now: the default of the column `page_users`. The API answers
 * up to 5000 a request, but a page is held whole: of 5000 users it makes `ingest --once` 270 to 300 MB
 * large at its peak, of 2000 180 to 230 MB, of 1000 150 to 180 MB, and as fast (60,000 users, measured).
 */
export const pageUsers = 1000;

/** The page that comes next and how many users it has; undefined when there is none left. */
export function nextPage(
  run: Pick<ClaimedRun, "results" | "pages" | "pageUsers">,
): { readonly page: number; readonly results: number } | undefined {
  const left = run.results - run.pages * run.pageUsers;
  return left > 0 ? { page: run.pages + 1, results: Math.min(left, run.pageUsers) } : undefined;
}

/**
 * The seed of a scheduled or backfilled run comes from its logical time, so that running it again
 * gives the same users; a manual run's comes from its id. Both end in a letter or a hyphen, since
 * the API appends the page number to the seed.
 */
export function seedOf(run: { readonly id: number; readonly logicalTime?: Date }): string {
  if (run.logicalTime === undefined) return `run-${run.id}-`;
  return `at-${run.logicalTime.toISOString().replace(/[-:]|\.\d{3}/g, "")}`;
}

/** A run in one line, for people. */
export function runText(run: Run): string {
  const counts = `${run.fetched} fetched, ${run.accepted} accepted, ${run.rejected} rejected, ${run.published} published`;
  const why = run.error === null ? "" : `: ${run.error}`;
  return `run ${run.id} ${run.state}${why}; ${counts}, seed ${run.seed}, in ${run.seconds ?? 0} s\n`;
}
