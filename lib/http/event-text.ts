import type { Change } from "../domain/change.ts";

/* Events as `text/event-stream` writes them, and those of late, which a stream can go on after. */

export const eventTypes = ["run", "log", "schedule", "backfill", "pipeline"] as const;

/** What a stream is told of. */
export interface Wanted {
  readonly types: readonly (typeof eventTypes)[number][];
  /** Only of this run: what has no run is left out. */
  readonly run?: number;
}

/** Text for a stream, after which it has all events up to `position`. */
export interface Part {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** The events of late. */
export interface Recent {
  /** The newest event that was read. */
  readonly position: number;
  add(changes: readonly Change[], position: number): void;
  /** Goes on from here, with nothing known of before. */
  restart(position: number): void;
  /**
   * What a stream gets that has had all up to `position`: the events since, or `resync` where these
   * are not known any more; without a position only where it begins.
   */
  after(position: number | undefined, wanted: Wanted): readonly Part[];
}

/** Keeps the newest events, `most` of them. */
export function createRecent(most: number): Recent {
  let kept: (Part & { readonly change: Change })[] = [];
  let floor = 0;
  let newest = 0;
  return {
    get position() {
      return newest;
    },
    add: (changes, position) => {
      for (const change of changes) {
        kept.push({ change, position: change.id, bytes: encoded(change) });
      }
      newest = position;
      const last = kept.splice(0, Math.max(0, kept.length - most)).at(-1);
      if (last) floor = last.position;
    },
    restart: (position) => {
      floor = position;
      newest = position;
      kept = [];
    },
    after: (position, wanted) => {
      if (position === undefined)
        return [{ position: newest, bytes: utf8.encode(`id: ${newest}\n\n`) }];
      if (position < floor || position > newest) {
        const bytes = utf8.encode(`id: ${newest}\nevent: resync\ndata: {}\n\n`);
        return [{ position: newest, bytes }];
      }
      return kept.slice(firstAfter(kept, position)).filter(({ change }) => wants(wanted, change));
    },
  };
}

/** JSON has no line breaks, so that the data is one line. */
export function encoded(event: {
  readonly id?: number;
  readonly type: string;
  readonly data: unknown;
}): Uint8Array {
  const id = event.id === undefined ? "" : `id: ${event.id}\n`;
  return utf8.encode(`${id}event: ${event.type}\ndata: ${JSON.stringify(event.data)}\n\n`);
}

function wants({ types, run }: Wanted, change: Change): boolean {
  const ofRun = run === undefined || ("run" in change && change.run === run);
  return ofRun && types.includes(change.type);
}

/** By halving: events are in the order of their ids. */
function firstAfter(kept: readonly Part[], position: number): number {
  let [low, high] = [0, kept.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((kept[middle]?.position ?? 0) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

const utf8 = new TextEncoder();
