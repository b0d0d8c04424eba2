import type { RunLogLine } from "./attempt.ts";
import type { Backfill } from "./backfill.ts";
import type { Run } from "./run.ts";
import type { Schedule } from "./schedule.ts";

/**
 * Something that changed, and how it is now: not how it was, so that of several changes only the
 * last one counts. Ids grow in the order in which changes became visible.
 */
export type Change = { readonly id: number } & (
  | { readonly type: "run"; readonly run: number; readonly data: Run }
  | { readonly type: "log"; readonly run: number; readonly data: RunLogLine }
  | { readonly type: "schedule"; readonly data: Schedule }
  | { readonly type: "backfill"; readonly data: Backfill }
);

/** Changes after a position, and up to which position they are all there is. */
export interface Changes {
  readonly changes: readonly Change[];
  readonly position: number;
  /** There are more: ask again at once. */
  readonly more: boolean;
}
