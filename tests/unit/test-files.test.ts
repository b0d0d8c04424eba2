import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";

/**
 * What `bun test` runs; bench is run by its own command. Helpers lie beside these folders, but those
 * of the faults, which make up most of that level: known by having no tests.
 */
const levels = ["unit", "integration", "faults", "browser"];

test("every file among the tests has a name that bun test runs", async () => {
  const files = (await Promise.all(levels.map(filesIn))).flat();
  expect(files.length).toBeGreaterThan(5);
  const texts = await Promise.all(files.map((path) => Bun.file(path).text()));
  const isHelper = (path: string, at: number) =>
    path.includes("/tests/faults/") && !hasTests(texts[at] ?? "");
  expect(neverRun(files.filter((path, at) => !isHelper(path, at)))).toEqual([]);
});

test("the check finds names that no runner matches", () => {
  const wrong = ["user.tests.ts", "user-test.ts", "test.ts", "user.test.js", "helper.ts"];
  expect(neverRun(["unit/user.test.ts", ...wrong.map((name) => `unit/${name}`)])).toEqual(
    wrong.map((name) => `unit/${name}`),
  );
});

test("a file that takes `test` from the runner has tests", () => {
  expect(hasTests('import { expect, test } from "bun:test";')).toBe(true);
  expect(hasTests('import {\n  describe,\n  test as it,\n} from "bun:test";')).toBe(true);
  expect(hasTests('import { expect } from "bun:test";\nimport { test } from "./other.ts";')).toBe(
    false,
  );
});

function hasTests(text: string): boolean {
  return /import \{[^}]*\b(test|it|describe)\b[^}]*\} from "bun:test"/.test(text);
}

function neverRun(paths: readonly string[]): string[] {
  return paths.filter((path) => !/^.+\.test\.ts$/.test(basename(path)));
}

async function filesIn(level: string): Promise<string[]> {
  const dir = join(import.meta.dir, "..", level);
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
