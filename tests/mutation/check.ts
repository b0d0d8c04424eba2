import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Mutant, mutants } from "./mutants.ts";

/*
 * Takes one safety step away at a time, in a copy of the project, and runs the tests that guard it: at least one
 * must fail. `bun tests/mutation/check.ts [text in the step's name …]`. Exit code 1 when a mutant lives, or when
 * its text is not in the file any more. Needs TEST_… variables that name servers (tests/servers.ts), else each
 * mutant starts its own. `--assume-green` leaves out the run without any mutant, which comes first.
 */

const project = resolve(import.meta.dir, "../..");
/** A mutant that makes its tests hang is noticed too. */
const longestMs = 150_000;

interface Verdict {
  readonly step: string;
  readonly verdict: "killed" | "alive" | "gone";
  /** The first test that failed. */
  readonly by: string;
  readonly seconds: number;
}

const assumeGreen = process.argv.includes("--assume-green");
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const chosen = mutants.filter(
  ({ step }) => wanted.length === 0 || wanted.some((part) => step.includes(part)),
);
const copy = await copyOfProject();
const verdicts: Verdict[] = [];
try {
  if (!assumeGreen) await requireGreen(chosen);
  for (const mutant of chosen) {
    const verdict = await tried(mutant);
    verdicts.push(verdict);
    process.stderr.write(`${verdict.verdict.padEnd(7)} ${mutant.step}\n`);
  }
} finally {
  await rm(copy, { recursive: true, force: true });
}
process.stdout.write(`${table(verdicts)}\n`);
process.exitCode = verdicts.every(({ verdict }) => verdict === "killed") ? 0 : 1;

async function copyOfProject(): Promise<string> {
  const to = await mkdtemp(join(tmpdir(), "mutants-"));
  for (const name of ["lib", "scripts", "tests", "package.json", "bunfig.toml", "tsconfig.json"]) {
    await cp(join(project, name), join(to, name), { recursive: true });
  }
  for (const name of ["node_modules", ".local"]) await symlink(join(project, name), join(to, name));
  return to;
}

/** A test that is red anyway proves nothing. */
async function requireGreen(all: readonly Mutant[]): Promise<void> {
  const files = [...new Set(all.flatMap(({ tests }) => tests))];
  const { failed, output } = await runTests(files, undefined, 10 * longestMs);
  if (failed === undefined) return;
  throw new Error(`red without any mutant: ${failed}\n${output.slice(-5000)}`);
}

async function tried({ step, file, find, replace, tests, only }: Mutant): Promise<Verdict> {
  const path = join(copy, file);
  const text = await Bun.file(path).text();
  const started = performance.now();
  const verdict = (verdict: Verdict["verdict"], by: string): Verdict => {
    return { step, verdict, by, seconds: Math.round((performance.now() - started) / 1000) };
  };
  if (text.split(find).length !== 2) return verdict("gone", `not once in ${file}`);
  await Bun.write(
    path,
    text.replace(find, () => replace),
  );
  try {
    const { failed } = await runTests(tests, only);
    return failed === undefined ? verdict("alive", "") : verdict("killed", failed);
  } finally {
    await Bun.write(path, text);
  }
}

/** The first test that failed, if any did; `output` is all that was printed. */
async function runTests(files: readonly string[], only?: string, limitMs = longestMs) {
  const pattern = only === undefined ? [] : ["-t", only];
  const child = Bun.spawn([process.execPath, "test", "--timeout=120000", ...pattern, ...files], {
    cwd: copy,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: limitMs,
  });
  const parts = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const output = parts.slice(0, 2).join("");
  const named = /^\(fail\) (.*?)( \[[\d.]+ ?m?s\])?$/m.exec(output)?.[1];
  const late = child.signalCode === null ? undefined : `no end within ${limitMs / 1000} s`;
  const failed = child.exitCode === 0 ? undefined : (named ?? late);
  // A file that is not there, or a server that does not start: no test has noticed anything.
  if (child.exitCode !== 0 && failed === undefined)
    throw new Error(`tests did not run:\n${output}`);
  return { failed, output };
}

function table(all: readonly Verdict[]): string {
  const lines = all.map(({ step, verdict, by, seconds }) => {
    return `| ${step} | ${verdict} | ${by} | ${seconds} |`;
  });
  const killed = all.filter(({ verdict }) => verdict === "killed").length;
  return [
    "| step taken away | mutant | noticed by | s |",
    "|---|---|---|---|",
    ...lines,
    "",
    `${killed} of ${all.length} mutants killed`,
  ].join("\n");
}
