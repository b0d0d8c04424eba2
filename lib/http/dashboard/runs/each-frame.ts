/** Gives what asks for a drawing: however often in a frame, it is drawn once. Not after the signal. */
export function eachFrame(draw: () => void, signal: AbortSignal): () => void {
  let asked = false;
  return () => {
    if (asked || signal.aborted) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (!signal.aborted) draw();
    });
  };
}
