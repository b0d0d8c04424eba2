import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";

/** What `bun test` runs; bench is run by its own command, and helpers lie beside these folders. */
const levels = ["unit", "integration", "faults", "browser"];

test("every file among the tests has a name that bun test runs", async () => {
  const files = await Promise.all(levels.map(filesIn));
  expect(files.flat().length).toBeGreaterThan(5);
  expect(neverRun(files.flat())).toEqual([]);
});

test("the check finds names that no runner matches", () => {
  const wrong = ["user.tests.ts", "user-test.ts", "test.ts", "user.test.js", "helper.ts"];
  expect(neverRun(["unit/user.test.ts", ...wrong.map((name) => `unit/${name}`)])).toEqual(
    wrong.map((name) => `unit/${name}`),
  );
});

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
