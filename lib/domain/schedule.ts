import type { TraceContext } from "./trace-context.ts";

/** When runs are made. Kept in PostgreSQL, the same for all instances, changed at any time. */
export interface Schedule {
  readonly cron: string;
  /** An IANA time zone; the cron expression is told in it. */
  readonly timezone: string;
  readonly paused: boolean;
  /** Whether every logical time that was missed is made up for, or only the newest. */
  readonly catchup: boolean;
  /** How many scheduled runs are performed at once, from 1 to 100. */
  readonly maxActiveRuns: number;
  readonly overlap: Overlap;
  /** Grows with each change of what stands above. */
  readonly version: number;
}

/** What becomes of a logical time that comes while `maxActiveRuns` scheduled runs are active. */
export type Overlap = (typeof overlaps)[number];
export const overlaps = ["skip", "queue"] as const;

/** What may be changed; what is left out stays. */
export type ScheduleChanges = {
  readonly [K in keyof Omit<Schedule, "version">]?: Schedule[K] | undefined;
};

/** The schedule and how far it has come, at one moment. */
export interface Standing extends Schedule {
  /** All logical times up to this one are dealt with. */
  readonly watermark: Date;
  /** By PostgreSQL's clock, which all instances share. */
  readonly now: Date;
  /** Scheduled runs that wait or are performed. */
  readonly active: number;
}

/** The logical times to be dealt with now: all of them are queued, or all are skipped. */
export interface Decision {
  readonly logicalTimes: readonly Date[];
  /** The place in a trace of each of their runs, in order; else each begins one of its own. */
  readonly traces?: readonly TraceContext[];
  /** Why they are skipped; null when they are queued. */
  readonly skipped: string | null;
  /** All logical times up to this one are dealt with then. */
  readonly watermark: Date;
}
