import { type Sample, sampleSeconds } from "../domain/history.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";

/** Where samples are kept, for all instances together. */
export interface SampleStore {
  /** Keeps a sample, unless another instance has kept one of these seconds. */
  add(sample: Sample): Promise<void>;
  thin(options: { readonly fineDays: number; readonly days: number }): Promise<void>;
}

export interface HistoryOptions {
  /** Days that samples are kept; 0: for ever. */
  readonly days: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** As long every sample is kept, then one a minute. */
const fineDays = 1;
/** Samples between two times that old ones are removed: five minutes. */
const thinEvery = 60;

/**
 * Has a sample taken every five seconds, until the signal aborts. While PostgreSQL is down there is
 * none, and nothing is made up for.
 */
export async function keepHistory(
  store: SampleStore,
  pipeline: { sample(): Promise<Sample | undefined> },
  { days, log, signal }: HistoryOptions,
): Promise<never> {
  const waiting = { what: "samples in PostgreSQL", log, signal };
  for (let taken = 0; ; taken++) {
    if (taken % thinEvery === 0) await retry(() => store.thin({ fineDays, days }), waiting);
    // Asked anew each time: a sample that comes late would be of another moment.
    await retry(async () => {
      const sample = await pipeline.sample();
      if (sample) await store.add(sample);
    }, waiting);
    await sleep(sampleSeconds * 1000, signal);
  }
}
