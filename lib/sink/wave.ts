import type { Limit } from "./limit.ts";

export interface WaveOptions {
  readonly limit: Limit;
  readonly signal: AbortSignal;
  /** How long those under way are waited for after an abort. */
  readonly settleMs: number;
}

/**
 * Calls `write` with each piece, and with each piece that it resolves to, as many at once as the
 * limit lets. After a failure or an abort nothing new starts, and this rejects once when those
 * under way have ended: with the first failure, or the signal's reason. All that was done when the
 * signal aborted is no failure.
 */
export async function wave<Piece>(
  pieces: readonly Piece[],
  write: (piece: Piece) => Promise<readonly Piece[]>,
  { limit, signal, settleMs }: WaveOptions,
): Promise<void> {
  signal.throwIfAborted();
  const waiting = pieces.toReversed();
  const ended = Promise.withResolvers<void>();
  let underWay = 0;
  let failure: { readonly reason: unknown } | undefined;

  const run = async (piece: Piece) => {
    underWay += 1;
    const request = limit.start();
    const started = performance.now();
    try {
      waiting.push(...(await write(piece)));
      limit.end(request, { ms: performance.now() - started });
    } catch (reason) {
      limit.end(request, "overloaded");
      failure ??= { reason };
    }
    underWay -= 1;
    go();
  };
  // One at least, whatever others of the same limit have under way: nobody waits for their slots.
  const mayStart = () =>
    !failure && !signal.aborted && (underWay === 0 || limit.inFlight < limit.slots);
  const go = () => {
    while (mayStart()) {
      const piece = waiting.pop();
      if (piece === undefined) break;
      void run(piece);
    }
    if (underWay === 0) ended.resolve();
  };

  using _ = onAbort(signal, settleMs, ended.resolve);
  go();
  await ended.promise;
  if (signal.aborted && (failure || underWay > 0 || waiting.length > 0)) throw signal.reason;
  if (failure) throw failure.reason;
}

/** Calls back so many milliseconds after the abort, until disposed. */
function onAbort(signal: AbortSignal, ms: number, callback: () => void): Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const aborted = () => {
    timer = setTimeout(callback, ms);
  };
  signal.addEventListener("abort", aborted, { once: true });
  return {
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", aborted);
      clearTimeout(timer);
    },
  };
}
