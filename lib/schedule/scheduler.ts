import type { RunRequest } from "../domain/run.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { dueTick, nextTick, type Ticks } from "./ticks.ts";

/** The schedule as it stands, which may change at any time. */
export interface ScheduleSource {
  get(): Promise<Ticks & { readonly paused: boolean }>;
  /** The newest logical time that has been scheduled, by any instance. */
  newest(): Promise<Date | undefined>;
}

/** Where runs are queued. A logical time that has a run already stays one run. */
export interface RunQueue {
  create(request: RunRequest): Promise<unknown>;
}

export interface SchedulerOptions {
  /** What each scheduled run asks for. */
  readonly request: Pick<RunRequest, "results" | "nat">;
  readonly now: () => Date;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** How late a changed schedule is noticed. */
const lookMs = 1000;

/**
 * Queues a run at each logical time until the signal aborts. Any number of instances may do this at
 * once: the store makes one run of each logical time.
 */
export async function scheduleRuns(
  schedule: ScheduleSource,
  queue: RunQueue,
  { request, now, log, signal }: SchedulerOptions,
): Promise<void> {
  const waiting = { what: "the schedule in PostgreSQL", log, signal };
  // A tick that fell into a restart is made up for, once: what was missed is from the newest one
  // on.
  let after = (await retry(() => schedule.newest(), waiting)) ?? now();
  while (!signal.aborted) {
    const { paused, ...ticks } = await retry(() => schedule.get(), waiting);
    const time = now();
    const due = dueTick(ticks, after, time);
    if (due !== undefined) {
      after = due;
      if (!paused) {
        await retry(
          () => queue.create({ trigger: "schedule", logicalTime: due, ...request }),
          waiting,
        );
        log.info({ logicalTime: due.toISOString() }, "run queued");
      }
    }
    const next = nextTick(ticks, now())?.getTime() ?? Number.POSITIVE_INFINITY;
    await sleep(Math.max(1, Math.min(lookMs, next - now().getTime())), signal);
  }
}
