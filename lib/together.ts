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
