import type { Limit } from "./limit.ts";

export interface WaveOptions {
  readonly signal: AbortSignal;
  /** How long those under way are waited for after an abort. */
  readonly settleMs: number;
}

/**
 * Calls `write` with each piece, and with each piece that it resolves to. After a failure or an
 * abort nothing new starts, and this rejects once when those under way have ended: with the first
 * failure, or the signal's reason. All that was done when the signal aborted is no failure.
 */
export type Wave<Piece> = (
  pieces: readonly Piece[],
  write: (piece: Piece) => Promise<readonly Piece[]>,
  options: WaveOptions,
) => Promise<void>;

/**
 * Waves that share the slots of a limit: one gets what those before it leave, so that the next has
 * begun before the last write of one has ended.
 */
export function createWaves<Piece>(limit: Limit): Wave<Piece> {
  /** What each has still to start, if there is a slot: the oldest first. */
  const waves = new Set<() => void>();

  return async (pieces, write, { signal, settleMs }) => {
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
      for (const next of waves) next();
    };
    const go = () => {
      while (!failure && !signal.aborted && limit.inFlight < limit.slots) {
        const piece = waiting.pop();
        if (piece === undefined) break;
        void run(piece);
      }
      const over = failure || signal.aborted || waiting.length === 0;
      if (over && underWay === 0) ended.resolve();
    };

    using _ = onAbort(signal, settleMs, { atOnce: go, late: ended.resolve });
    waves.add(go);
    go();
    await ended.promise;
    waves.delete(go);
    if (signal.aborted && (failure || underWay > 0 || waiting.length > 0)) throw signal.reason;
    if (failure) throw failure.reason;
  };
}

/** Calls back at the abort and so many milliseconds after it, until disposed. */
function onAbort(
  signal: AbortSignal,
  ms: number,
  { atOnce, late }: { readonly atOnce: () => void; readonly late: () => void },
): Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const aborted = () => {
    timer = setTimeout(late, ms);
    atOnce();
  };
  signal.addEventListener("abort", aborted, { once: true });
  return {
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", aborted);
      clearTimeout(timer);
    },
  };
}
