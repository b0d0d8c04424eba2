import type { Progress } from "../progress.ts";
import { sleep } from "../sleep.ts";
import type { AskedStation } from "./station.ts";

export interface ConsumeProgress {
  readonly progress: Progress;
  /** Records dealt with so far. */
  readonly total: { readonly records: number };
  /** By partition, what is still to be dealt with. */
  readonly lags: AskedStation<ReadonlyMap<number, number>>;
  /** Whether it ends when all is dealt with. */
  readonly drain: boolean;
}

/** Shows how a consumer comes on, with its lag, until the signal aborts. */
export async function showConsuming(
  { progress, total, lags, drain }: ConsumeProgress,
  signal: AbortSignal,
): Promise<void> {
  const { lookMs } = progress;
  if (lookMs === undefined) return;
  for (;;) {
    await sleep(lookMs, signal);
    const found = await lags.now();
    const lag = [...(found?.values() ?? [])].reduce((sum, each) => sum + each, 0);
    if (drain && found) progress.expect(total.records + lag, "about");
    progress.show(total.records, found ? `lag ${lag.toLocaleString("en")}` : "lag unknown");
  }
}

/** What a consumer has done that was to end, for people. */
export function drainedText(done: Drained): string {
  const { records, rows, deadLetters, seconds, rowsPerSecond } = done;
  return `${records} records read: ${rows} rows written, ${deadLetters} dead letters, in ${seconds.toFixed(1)} s (${rowsPerSecond} rows/s)\n`;
}
type Drained = Record<"records" | "rows" | "deadLetters" | "seconds" | "rowsPerSecond", number>;
