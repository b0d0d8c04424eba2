/* Where the squares of the grid are: pure, so that thousands of them need no elements. */

export interface Squares {
  /** How many there are. */
  readonly count: number;
  /** How many stand in a row. */
  readonly columns: number;
}

/** A square and the space to the next one, in pixels. */
export const pitchPx = 24;

/** How many squares stand in a row of this width: at least one. */
export function columnsIn(widthPx: number): number {
  return Math.max(1, Math.floor(widthPx / pitchPx));
}

export function rowsOf({ count, columns }: Squares): number {
  return Math.ceil(count / columns);
}

/** The rows to be made for what is in sight, from the first and before the last; some more each way. */
export function rowsInSight(
  squares: Squares,
  { topPx, heightPx }: { readonly topPx: number; readonly heightPx: number },
): readonly [first: number, end: number] {
  const spare = 3;
  const first = Math.max(0, Math.floor(topPx / pitchPx) - spare);
  return [first, Math.min(rowsOf(squares), Math.ceil((topPx + heightPx) / pitchPx) + spare)];
}

/** Where a key leads from a square; undefined for keys that lead nowhere. */
export function moved(
  key: string,
  at: number,
  { count, columns }: Squares,
  { page, ctrl }: { readonly page: number; readonly ctrl: boolean },
): number | undefined {
  const start = at - (at % columns);
  const to = {
    ArrowRight: at + 1,
    ArrowLeft: at - 1,
    ArrowDown: at + columns,
    ArrowUp: at - columns,
    PageDown: Math.min(at + page * columns, below(at, count, columns)),
    PageUp: Math.max(at - page * columns, at % columns),
    Home: ctrl ? 0 : start,
    End: ctrl ? count - 1 : Math.min(count, start + columns) - 1,
  }[key];
  if (to === undefined) return undefined;
  return to >= 0 && to < count ? to : at;
}

/** The lowest square of the same column. */
function below(at: number, count: number, columns: number): number {
  const last = count - 1 - ((count - 1) % columns) + (at % columns);
  return last < count ? last : last - columns;
}
