import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/** Imports point inward: who may import what in lib. Everybody may import its own folder. */
const rules: Readonly<Record<string, Rule>> = {
  domain: { values: [] },
  plumbing: { values: ["domain"] },
  flow: { values: ["domain", "plumbing"] },
  http: { values: ["domain", "plumbing"] },
  // It runs in a browser: of the service it knows what that answers, as types.
  "http/dashboard": { values: ["domain"], types: ["http"] },
  metrics: { values: ["domain", "plumbing"], types: ["flow"] },
  schedule: { values: ["domain", "plumbing"] },
  source: { values: ["domain", "plumbing"], types: ["flow"] },
  raw: { values: ["domain", "plumbing"], types: ["flow"] },
  topic: { values: ["domain", "plumbing", "native/load.ts", "native/batches.ts"], types: ["flow"] },
  sink: { values: ["domain", "plumbing"], types: ["flow"] },
  // What the script `ingest` is made of sees what scripts see.
  service: {
    values: [
      ...["domain", "plumbing", "flow", "source", "raw", "topic", "sink"],
      ...["http", "schedule", "metrics"],
    ],
  },
  local: { values: ["plumbing", "native", "domain"] },
  native: { values: ["plumbing"] },
};

test("every import in lib points inward", async () => {
  const files = await sources();
  expect(files.length).toBeGreaterThan(50);
  expect(wrongImports(files)).toEqual([]);
});

test("no module in lib imports itself by way of others", async () => {
  expect(cycles(await sources())).toEqual([]);
});

describe("the check finds", () => {
  test.each([
    ["lib/domain/user.ts", `import { sleep } from "../sleep.ts";`],
    ["lib/flow/verify.ts", `import { openSink } from "../sink/cassandra.ts";`],
    ["lib/flow/verify.ts", `import type { Log } from "../http/app.ts";`],
    ["lib/http/app.ts", `import { relay } from "../flow/raw-to-topic.ts";`],
    ["lib/raw/runs.ts", `import { flow } from "../flow/perform-runs.ts";`],
    ["lib/raw/runs.ts", `import { type Flow } from "../flow/perform-runs.ts";`],
    ["lib/raw/runs.ts", `import type { Sink } from "../sink/cassandra.ts";`],
    ["lib/topic/kafka.ts", `import { buildNative } from "../native/build.ts";`],
    ["lib/sink/client.ts", `import { loadKafkaClient } from "../native/load.ts";`],
    ["lib/sink/client.ts", `export * from "../raw/bell.ts";`],
    ["lib/sink/client.ts", `export {\n  bell,\n} from "../raw/bell.ts";`],
    ["lib/sink/client.ts", `const bell = await import("../raw/bell.ts");`],
    ["lib/sink/client.ts", `import "../raw/bell.ts";`],
    ["lib/log.ts", `import { app } from "./http/app.ts";`],
    ["lib/log.ts", `import { main } from "../scripts/ingest.ts";`],
    ["lib/log.ts", `import { until } from "../tests/until.ts";`],
    ["lib/http/dashboard/page.ts", `import { sql } from "../../raw/postgres.ts";`],
    ["lib/http/dashboard/page.ts", `import { sleep } from "../../sleep.ts";`],
    ["lib/http/dashboard/page.ts", `import { RunAnswer } from "../answers.ts";`],
    ["lib/http/app.ts", `import { h } from "./dashboard/dom.ts";`],
    ["lib/other/new.ts", `import { sleep } from "../sleep.ts";`],
    ["lib/log.ts", `import { sleep } from "./sleep";`],
  ])("in %s: %s", (path, text) => {
    expect(wrongImports([{ path, text: `\n${text}\n` }])).toEqual([
      expect.stringMatching(
        new RegExp(`^${path}:${text.split("\n").length + 1}: imports (lib|scripts|tests)/`),
      ),
    ]);
  });

  test("nothing wrong in imports that point inward, in packages, and in comments", () => {
    const text = [
      `import postgres from "postgres";`,
      `import { join } from "node:path";`,
      `import type { Ledger } from "../flow/verify.ts";`,
      `export type { Run } from "../domain/run.ts";`,
      `import { sleep } from "../sleep.ts";`,
      `import { asked } from "./client.ts";`,
      `// import { openSink } from "../sink/cassandra.ts";`,
      `/** Not from "../sink/cassandra.ts". */`,
    ].join("\n");
    expect(wrongImports([{ path: "lib/raw/runs.ts", text }])).toEqual([]);
    const load = `import { loadKafkaClient } from "../native/load.ts";`;
    expect(wrongImports([{ path: "lib/topic/kafka.ts", text: load }])).toEqual([]);
  });

  test("a circle of imports, but none made of types", () => {
    const file = (name: string, imports: string) => ({
      path: `lib/${name}.ts`,
      text: `import ${imports} from "./${imports.at(-1)}.ts";`,
    });
    expect(cycles([file("a", "b"), file("b", "c"), file("c", "a")])).toEqual([
      "lib/a.ts -> lib/b.ts -> lib/c.ts -> lib/a.ts",
    ]);
    expect(cycles([file("a", "b"), file("b", "type a")])).toEqual([]);
  });
});

interface Rule {
  /** Folders of lib, or single files in them. */
  readonly values: readonly string[];
  readonly types?: readonly string[];
}

interface Source {
  /** From the project's folder: lib/raw/runs.ts. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly path: string;
  readonly line: number;
  readonly typeOnly: boolean;
}

async function sources(): Promise<Source[]> {
  const project = join(import.meta.dir, "../..");
  const entries = await readdir(join(project, "lib"), { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Promise.all(
    paths.map(async (path) => ({
      path: relative(project, path),
      text: await Bun.file(path).text(),
    })),
  );
}

function wrongImports(files: readonly Source[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((it) => !allowed(file.path, it))
      .map((it) => `${file.path}:${it.line}: imports ${it.path}${it.typeOnly ? " as a type" : ""}`),
  );
}

function allowed(from: string, { path, typeOnly }: Import): boolean {
  const rule = rules[folderOf(from)];
  if (rule === undefined || !path.startsWith("lib/") || !/\.[a-z]+$/.test(path)) return false;
  const folder = folderOf(path);
  if (folder === folderOf(from)) return true;
  const may = [...rule.values, ...(typeOnly ? (rule.types ?? []) : [])];
  return may.includes(folder) || may.includes(path.slice("lib/".length));
}

function folderOf(path: string): string {
  if (path.startsWith("lib/http/dashboard/")) return "http/dashboard";
  const [, folder = "", file] = path.split("/");
  return file === undefined ? "plumbing" : folder;
}

/** The project's own modules a file names, whether with `import`, `export … from` or `import(…)`. */
function importsOf({ path, text }: Source): Import[] {
  const statement =
    /(?:^|[;}\n])\s*(?:import|export)(\s+type\b)?(?:[^;"'`()]*?\bfrom)?\s*"(\.[^"]*)"|\bimport\(\s*"(\.[^"]*)"/g;
  const code = withoutComments(text);
  return [...code.matchAll(statement)].map((match) => ({
    path: join(dirname(path), match[2] ?? match[3] ?? ""),
    line: code.slice(0, match.index + match[0].length).split("\n").length,
    typeOnly: match[1] !== undefined,
  }));
}

/** Blanks, so that lines keep their numbers. Good enough for code whose strings hold no comments at a line's start. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, (comment) => comment.replaceAll(/[^\n]/g, " "))
    .replaceAll(/^\s*\/\/.*$/gm, "");
}

function cycles(files: readonly Source[]): string[] {
  const imports = new Map(
    files.map((file) => [
      file.path,
      importsOf(file).flatMap(({ path, typeOnly }) => (typeOnly ? [] : [path])),
    ]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]) => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(" -> "));
    if (done.has(path) || way.includes(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}
