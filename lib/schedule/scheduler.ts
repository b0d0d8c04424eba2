import type { RunRequest } from "../domain/run.ts";
import type { Decision, Standing } from "../domain/schedule.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { decide } from "./decide.ts";
import { nextTick } from "./ticks.ts";

/** What each scheduled run asks for. */
export type ScheduledRequest = Pick<RunRequest, "results" | "nat">;

/** The schedule that all instances share. */
export interface ScheduleStore {
  standing(): Promise<Standing>;
  /**
   * Makes the runs that were decided on and moves the watermark, all or nothing; does nothing and
   * gives false when the schedule has changed or moved since `from`. A logical time that has a run
   * already keeps that one.
   */
  move(from: Standing, decision: Decision, request: ScheduledRequest): Promise<boolean>;
  /** Resolves when the schedule may have changed: told so, or after `withinMs`. */
  wait(signal: AbortSignal, withinMs: number): Promise<void>;
}

export interface SchedulerOptions {
  readonly request: ScheduledRequest;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** How late it is noticed that there is room again, and that a notification got lost. */
const lookMs = 1000;

/**
 * Makes a run at each logical time until the signal aborts. Any number of instances may do this at
 * once, and any may stop anywhere: of those that have decided the same, one moves the schedule.
 */
export async function scheduleRuns(
  store: ScheduleStore,
  { request, log, signal }: SchedulerOptions,
): Promise<void> {
  const waiting = { what: "the schedule in PostgreSQL", log, signal };
  while (!signal.aborted) {
    const standing = await retry(() => store.standing(), waiting);
    const decision = decide(standing);
    if (decision && (await retry(() => store.move(standing, decision, request), waiting))) {
      tell(decision, log);
    }
    const next = nextTick(standing, standing.now)?.getTime() ?? Number.POSITIVE_INFINITY;
    const untilNextMs = Math.max(1, Math.ceil(next - standing.now.getTime()));
    await store.wait(signal, Math.min(lookMs, untilNextMs));
  }
}

function tell({ logicalTimes, skipped }: Decision, log: Log): void {
  for (const logicalTime of logicalTimes.map((time) => time.toISOString())) {
    if (skipped === null) log.info({ logicalTime }, "run queued");
    else log.warn({ logicalTime, reason: skipped }, "run skipped");
  }
}
