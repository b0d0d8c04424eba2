import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { mutants } from "../mutation/mutants.ts";

const project = resolve(import.meta.dir, "../..");
const textOf = (path: string) => Bun.file(join(project, path)).text();

test("every safety step that the mutation check takes away stands in its file, once", async () => {
  const gone = await Promise.all(
    mutants.map(async ({ step, file, find }) =>
      (await textOf(file)).split(find).length === 2 ? [] : [`${file}: ${step}`],
    ),
  );
  expect(gone.flat()).toEqual([]);
});

test("the tests that guard them are there", async () => {
  const files = [...new Set(mutants.flatMap(({ tests }) => tests))];
  const there = await Promise.all(files.map((file) => Bun.file(join(project, file)).exists()));
  expect(files.filter((_, at) => !there[at])).toEqual([]);
});
