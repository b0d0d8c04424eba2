import type { Run } from "../../../domain/run.ts";

/** Runs by their ids, the newest first, without gaps up to the oldest that is known. */
export interface Book {
  readonly runs: readonly Run[];
  /** A page is being asked for: what is told of runs from now on may be newer than it. */
  expect(): void;
  /**
   * Adds a page of the list, below what is there; what is there and newer stays as it is. `complete`
   * is said of the last page. What was told of runs since it was asked for comes on top of it.
   */
  append(page: readonly Run[], complete?: boolean): void;
  /**
   * A run as it is now. Gives what that has changed: nothing where it lies below what is known, and
   * is a matter of a later page.
   */
  put(run: Run, passes: boolean, complete: boolean): Changed;
  clear(): void;
  /** The cursor of what had to make room, after the newest ones; undefined while all have room. */
  readonly cut: string | undefined;
}

export type Changed = "nothing" | "run" | "order";

/** Keeps the newest ones, `most` of them. */
export function createBook(most = Number.POSITIVE_INFINITY): Book {
  let runs: Run[] = [];
  let cut: string | undefined;
  let told: Map<number, readonly [Run, boolean]> | undefined;
  const book: Book = {
    get runs() {
      return runs;
    },
    get cut() {
      return cut;
    },
    expect: () => {
      told = new Map();
    },
    append: (page, complete = false) => {
      const oldest = runs.at(-1)?.id ?? Number.POSITIVE_INFINITY;
      runs = [...runs, ...page.filter(({ id }) => id < oldest)];
      const since = told ?? new Map();
      told = undefined;
      for (const [run, passes] of since.values()) book.put(run, passes, complete);
    },
    put: (run, passes, complete) => {
      told?.set(run.id, [run, passes]);
      const at = placeOf(runs, run.id);
      const known = runs[at]?.id === run.id;
      if (known && passes) {
        runs[at] = run;
        return "run";
      }
      if (known) {
        runs = runs.toSpliced(at, 1);
        return "order";
      }
      if (!passes || (at === runs.length && !complete)) return "nothing";
      runs = runs.toSpliced(at, 0, run);
      if (runs.length > most) {
        runs = runs.slice(0, most);
        cut = String(runs.at(-1)?.id);
      }
      return "order";
    },
    clear: () => {
      runs = [];
      cut = undefined;
    },
  };
  return book;
}

/** By halving: where the run of this id is, or would be. */
function placeOf(runs: readonly Run[], id: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle]?.id ?? 0) > id) low = middle + 1;
    else high = middle;
  }
  return low;
}
