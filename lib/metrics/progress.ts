/** Rates are those of so long, as on the page of the pipeline. */
const windowMs = 15_000;
/** Bounds memory where batches are single records: the rates are then of a shorter time. */
const maxBatches = 5000;

interface Batch {
  readonly endMs: number;
  readonly ms: number;
  readonly records: number;
}

/** The figures that Spark gives of a streaming query. */
export interface Progress {
  add(batch: { readonly records: number; readonly ms: number }): void;
  /** Records a second as they have come. */
  inputPerSecond(): number;
  /** Records a second of the time that was spent on them: what could be done with as many as come. */
  processedPerSecond(): number;
}

export function createProgressRates(now: () => number = () => performance.now()): Progress {
  const batches: Batch[] = [];
  const started = now();
  const recent = () => {
    const gone = batches.findIndex(({ endMs }) => endMs > now() - windowMs);
    batches.splice(0, gone === -1 ? batches.length : gone);
    return batches;
  };
  const records = () => recent().reduce((sum, batch) => sum + batch.records, 0);
  return {
    add: ({ records, ms }) => {
      batches.push({ endMs: now(), ms, records });
      if (batches.length > maxBatches) batches.shift();
    },
    inputPerSecond: () => {
      const full = recent().length >= maxBatches ? (batches[0]?.endMs ?? 0) : 0;
      const from = Math.max(full, started, now() - windowMs);
      const seconds = (now() - from) / 1000;
      return seconds > 0 ? records() / seconds : 0;
    },
    processedPerSecond: () => {
      const seconds = busyMs(recent()) / 1000;
      return seconds > 0 ? records() / seconds : 0;
    },
  };
}

/** Batches overlap: time in which several are at work counts once. */
function busyMs(batches: readonly Batch[]): number {
  const times = batches
    .map(({ endMs, ms }) => ({ from: endMs - ms, to: endMs }))
    .toSorted((a, b) => a.from - b.from);
  let busy = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { from, to } of times) {
    busy += Math.max(0, to - Math.max(from, until));
    until = Math.max(until, to);
  }
  return busy;
}
