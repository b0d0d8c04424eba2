/** Often enough that a delay of a twentieth of a second is rarely missed; it costs nothing. */
const everyMs = 100;

/**
 * Tells how late a timer rings, in milliseconds: for so long everything else in the process has had
 * to wait too. Until disposed; keeps no process alive.
 */
export function watchEventLoop(
  onDelay: (ms: number) => void,
  now: () => number = () => performance.now(),
): Disposable {
  let due = now() + everyMs;
  const look = () => {
    const rung = now();
    onDelay(Math.max(0, rung - due));
    due = rung + everyMs;
    timer = setTimeout(look, everyMs);
    timer.unref();
  };
  let timer = setTimeout(look, everyMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
