export interface UntilOptions {
  /** Long, because a loaded machine is slow: it ends a test that would never end, and proves nothing. */
  readonly timeoutMs?: number;
  /** What is waited for, for the message. */
  readonly what?: string;
  /** Between two looks: longer where a look costs something. */
  readonly everyMs?: number;
}

/** Resolves as soon as the condition holds; rejects when it does not within the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 120_000, what = String(condition), everyMs = 5 }: UntilOptions = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
