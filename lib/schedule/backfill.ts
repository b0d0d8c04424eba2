import {
  type Backfill,
  type BackfillRequest,
  type BackfillRun,
  reprocessed,
} from "../domain/backfill.ts";
import type { Run } from "../domain/run.ts";
import { PipelineError } from "../errors.ts";
import { type Ticks, ticksBetween } from "./ticks.ts";

/** Where backfills are kept. */
export interface BackfillStore {
  /** The runs whose logical times lie in the range. */
  runsBetween(
    range: Pick<BackfillRequest, "from" | "to">,
  ): Promise<readonly Pick<Run, "id" | "state" | "logicalTime">[]>;
  /** The backfill that was made for this request, with its runs as they are now. */
  earlier(requestId: string): Promise<Backfilled | undefined>;
  /** Makes these runs or begins them again, as far as they still are as they were. */
  create(request: BackfillRequest, runs: readonly BackfillRun[]): Promise<Backfill>;
}

/** What a backfill lists, and what was made of it: null where it only lists, or lists nothing. */
export interface Backfilled {
  readonly backfill: Backfill | null;
  readonly runs: readonly BackfillRun[];
}

/** A year of hours has 8,760; the runs of a backfill are made in one transaction. */
export const mostTimes = 10_000;

export interface BackfillOptions {
  /** Whose logical times are filled in. */
  readonly schedule: Ticks;
  readonly now: Date;
  /** Lists what would run, and runs nothing. */
  readonly dryRun?: boolean;
}

/**
 * Queues a run for each logical time of the range that is due and has none, and those that are to be
 * run again. Gives what it lists, in the order in which they run; asked again with the same request
 * id, what it has made. Fails with `usage` when the range has too many logical times.
 */
export async function backfill(
  request: BackfillRequest,
  store: BackfillStore,
  options: BackfillOptions,
): Promise<Backfilled> {
  const made = request.requestId && !options.dryRun && (await store.earlier(request.requestId));
  if (made) return made;
  const times = await logicalTimes(request, options);
  const runs = listed(times, await store.runsBetween(request), request);
  const nothing = options.dryRun || runs.length === 0;
  return { backfill: nothing ? null : await store.create(request, runs), runs };
}

/** Listed in one go, as many as take some tens of milliseconds: others have to work as well. */
const sliceTimes = 500;

async function logicalTimes(
  { from, to }: BackfillRequest,
  { schedule, now }: BackfillOptions,
): Promise<readonly Date[]> {
  const times: Date[] = [];
  // The first one counts, the last one does not, and what has not come yet is the schedule's.
  const last = new Date(Math.min(to.getTime() - 1, now.getTime()));
  for (let after = new Date(from.getTime() - 1); ; after = times.at(-1) ?? after) {
    const slice = ticksBetween(schedule, { after, last, limit: sliceTimes });
    times.push(...slice);
    if (times.length > mostTimes) break;
    if (slice.length < sliceTimes) return times;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const range = `from ${from.toISOString()} to ${to.toISOString()}`;
  throw new PipelineError("usage", `${range}: expected at most ${mostTimes} logical times`);
}

function listed(
  times: readonly Date[],
  present: readonly Pick<Run, "id" | "state" | "logicalTime">[],
  { reprocess, order }: BackfillRequest,
): readonly BackfillRun[] {
  const byTime = new Map(present.map((run) => [run.logicalTime, run]));
  const again = reprocessed(reprocess);
  const runs = times.flatMap((time): BackfillRun[] => {
    const logicalTime = time.toISOString();
    const run = byTime.get(logicalTime);
    if (!run) return [{ logicalTime, id: null, state: null }];
    return again.includes(run.state) ? [{ logicalTime, id: run.id, state: run.state }] : [];
  });
  return order === "newest" ? runs.toReversed() : runs;
}
