/** How many tests of one level, the first folder below tests/, ended how. */
export interface Level {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts by level what a JUnit report of `bun test` says; the levels come in alphabetical order. */
export function levelsOf(junit: string): Level[] {
  const levels = new Map<string, Level>();
  // A test case holds what became of it, or ends at once: it passed. Text in it is escaped.
  for (const [, attributes = "", body = ""] of junit.matchAll(
    /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const name = /\bfile="(?:[^"]*\/)?tests\/([^/"]+)\//.exec(attributes)?.[1] ?? "other";
    const { passed, failed, skipped } = levels.get(name) ?? { passed: 0, failed: 0, skipped: 0 };
    const [isFailed, isSkipped] = [/<(failure|error)\b/.test(body), /<skipped\b/.test(body)];
    levels.set(name, {
      name,
      passed: passed + (isFailed || isSkipped ? 0 : 1),
      failed: failed + (isFailed ? 1 : 0),
      skipped: skipped + (isSkipped && !isFailed ? 1 : 0),
    });
  }
  return [...levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * The lines that close a run: one for each level, then the sum, "N passed, N failed". `bun test` can fail
 * without a failing test, by a file that does not load, or by an error after a test: that counts as one.
 */
export function closingLines(levels: readonly Level[], exitCode: number): string[] {
  const passed = sum(levels.map((level) => level.passed));
  const failures = sum(levels.map((level) => level.failed));
  const failed = failures === 0 && exitCode !== 0 ? 1 : failures;
  const lines = levels.map((level) => {
    const skipped = level.skipped > 0 ? `, ${level.skipped} skipped` : "";
    return `${level.name}: ${level.passed} passed, ${level.failed} failed${skipped}`;
  });
  if (failed > failures) lines.push("outside any test: 1 failed (see above)");
  return [...lines, `${passed} passed, ${failed} failed`];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
