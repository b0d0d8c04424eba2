import type { Decision, Standing } from "../domain/schedule.ts";
import { dueTick, ticksBetween } from "./ticks.ts";

/**
 * How many scheduled runs wait beside those that are performed. Without catch-up, times that come
 * when these are there are skipped; with it they come into the queue when there is room.
 */
export const waitingRuns = 10;

/**
 * Which logical times are to be dealt with now, and how; undefined when there is nothing to do.
 * - Without catch-up only the newest of the times that are due counts: those missed are passed
 *   over, and so are those that come while the schedule is paused.
 * - With catch-up all of them are queued, oldest first, as many as there is room for.
 * - With overlap `skip` a time that comes when there is no room is skipped; one that was missed
 *   waits for room, if it is to be made up for.
 */
export function decide(at: Standing): Decision | undefined {
  const { watermark, now, paused, catchup, overlap, maxActiveRuns, active } = at;
  const newest = dueTick(at, watermark, now);
  if (newest === undefined || (paused && catchup)) return undefined;
  if (paused) return { logicalTimes: [], skipped: null, watermark: newest };

  const room = maxActiveRuns + (overlap === "queue" ? waitingRuns : 0) - active;
  const all = { after: watermark, last: newest, limit: Math.max(room, 1) };
  const logicalTimes = catchup ? ticksBetween(at, all) : [newest];
  const last = logicalTimes.at(-1) ?? newest;
  if (room > 0) return { logicalTimes, skipped: null, watermark: last };
  if (catchup && (overlap === "queue" || last < newest)) return undefined;
  return { logicalTimes, skipped: reasonOf(at), watermark: last };
}

function reasonOf({ overlap, active, maxActiveRuns }: Standing): string {
  const runs = `${active} scheduled ${active === 1 ? "run was" : "runs were"} queued or running`;
  const most = `maxActiveRuns is ${maxActiveRuns}`;
  return overlap === "skip" ? `${runs}, ${most}` : `${runs}, ${most} and ${waitingRuns} may wait`;
}
