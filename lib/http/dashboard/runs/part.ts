import type { Run } from "../../../domain/run.ts";
import type { Filters } from "./filters.ts";

/** What shows runs, and follows them as they change. */
export interface RunsPart {
  readonly element: HTMLElement;
  /** Shows runs that pass, from the newest on. */
  filter(filters: Filters): void;
  /** Asks for all that is shown anew. */
  reload(): void;
  /** True while there is no answer to show. */
  unanswered(): boolean;
  /** A run as it is now. */
  put(run: Run): void;
}

/** As `GET /api/runs` answers. */
export interface RunPage {
  readonly runs: readonly Run[];
  /** The cursor of the next page; null where this is the last one. */
  readonly next: string | null;
}
