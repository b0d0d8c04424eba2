/**
 * Runs loops side by side until the signal aborts or all return. When one fails, the others are
 * stopped and waited for, and its error is thrown; being stopped is not a failure.
 */
export async function together(
  signal: AbortSignal,
  loops: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const failures: unknown[] = [];
  await Promise.all(
    loops.map(async (loop) => {
      try {
        await loop(either);
      } catch (error) {
        if (either.aborted && error === either.reason) return;
        failures.push(error);
        stop.abort(error);
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}

/** As `together`, with loops that go on beside the work only: when that has ended, they are stopped. */
export async function accompanied(
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<unknown>,
  loops: readonly ((signal: AbortSignal) => Promise<unknown>)[],
): Promise<void> {
  const done = new AbortController();
  const all = async (signal: AbortSignal) => {
    await work(signal);
    done.abort();
  };
  await together(AbortSignal.any([signal, done.signal]), [all, ...loops]);
}
