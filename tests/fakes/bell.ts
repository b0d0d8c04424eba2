/** Resolves its one waiter when rung, at once if it has rung since the last wait. */
export function createFakeBell() {
  let rung = false;
  let wake = () => {};
  return {
    ring() {
      rung = true;
      wake();
    },
    async wait(signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      wake = resolve;
      const stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      if (!rung) await promise;
      signal.removeEventListener("abort", stop);
      rung = false;
    },
  };
}
