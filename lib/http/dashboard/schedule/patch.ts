import type { Schedule } from "../../../domain/schedule.ts";
import { ApiError, ask } from "../api.ts";

/** As `GET /api/schedule` answers. */
export interface ScheduleView extends Schedule {
  /** The next logical time; null while it is paused. */
  readonly next: string | null;
  readonly watermark: string;
  /** Scheduled runs that wait or are performed. */
  readonly active: number;
}

export function readSchedule(signal: AbortSignal): Promise<ScheduleView> {
  return ask("/api/schedule", { signal });
}

/** Changes the schedule where it still is the one that was looked at; else it `isStale`. */
export function changeSchedule(changes: object, { version }: Schedule): Promise<ScheduleView> {
  const headers = { "if-match": `"${version}"` };
  return ask("/api/schedule", { method: "PATCH", body: changes, headers });
}

/** True where somebody else has changed it. */
export function isStale(error: unknown): boolean {
  return error instanceof ApiError && error.status === 412;
}

/** A part of the view. */
export interface SchedulePart {
  readonly element: HTMLElement;
  show(now: ScheduleView): void;
}

export interface PartOptions {
  /** Shows in all parts what the service has answered. */
  readonly show: (now: ScheduleView) => void;
  readonly signal: AbortSignal;
}
