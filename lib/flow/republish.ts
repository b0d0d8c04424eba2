import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { together } from "../together.ts";
import { type Outbox, type Publisher, rawToTopic } from "./raw-to-topic.ts";

/** Kept rows, as the one who sends them again sees them. */
export interface Kept<Selection> {
  count(selection: Selection): Promise<{ rows: number; first: number; last: number }>;
  queue(selection: Selection, part: Part): Promise<number | undefined>;
  waiting(ids: { readonly first: number; readonly last: number }): Promise<number>;
}

/** At most so many rows with ids after one and up to another. */
interface Part {
  readonly after: number;
  readonly last: number;
  readonly limit: number;
}

export interface RepublishOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told how many rows the topic has acknowledged. */
  readonly onProgress?: (published: number) => void;
  readonly batchRows?: number;
}

const lookMs = 250;

/**
 * Sends kept rows through the topic again, with their versions, so that they never win over newer
 * ones. Resolves to their number when the topic has acknowledged all of them, whoever relayed them.
 * The next batch is queued when the last one is under way: new rows do not wait behind millions.
 * Stopped in the middle, what is queued stays so, and starting again is harmless.
 */
export async function republish<Selection>(
  selection: Selection,
  { kept, outbox, topic }: { kept: Kept<Selection>; outbox: Outbox; topic: Publisher },
  { log, signal, onProgress = () => {}, batchRows = 10_000 }: RepublishOptions,
): Promise<number> {
  const waiting = { what: "PostgreSQL", log, signal };
  const { rows, first, last } = await retry(() => kept.count(selection), waiting);
  if (rows === 0) return 0;
  const done = new AbortController();
  await together(AbortSignal.any([signal, done.signal]), [
    (either) => rawToTopic(outbox, topic, { log, signal: either }),
    async (either) => {
      let queued = 0;
      let after: number | undefined = first - 1;
      for (; ; await sleep(lookMs, either)) {
        const left = await retry(() => kept.waiting({ first, last }), waiting);
        onProgress(Math.max(0, Math.min(queued, rows) - left));
        if (after === undefined && left === 0) break;
        if (after === undefined || left > batchRows) continue;
        const part: Part = { after, last, limit: batchRows };
        after = await retry(() => kept.queue(selection, part), waiting);
        queued += batchRows;
      }
      done.abort();
    },
  ]);
  signal.throwIfAborted();
  return rows;
}
