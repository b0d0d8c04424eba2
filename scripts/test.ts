import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepared } from "../lib/local/prepare.ts";
import { sleep } from "../lib/sleep.ts";
import { closingLines, levelsOf } from "../tests/levels.ts";

const help = `Everything a fresh machine needs, then all tests but the benchmarks.

Usage: bun run test [paths] [options of \`bun test\`]
`;

// It starts without run(): on a fresh machine nothing is installed yet, and all options are \`bun
// test\`'s.
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) return process.stdout.write(help) ? 0 : 1;
  if (!(await prepared("test", { javaHome: Bun.env.JAVA_HOME, browser: true }))) return 1;
  const home = await mkdtemp(join(tmpdir(), "users-pipeline-test-"));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(home, 0o711);
  try {
    const exitCode = await runTests(args, home);
    const report = Bun.file(join(home, "junit.xml"));
    const levels = levelsOf((await report.exists()) ? await report.text() : "");
    process.stdout.write(`\n${closingLines(levels, exitCode).join("\n")}\n`);
    return exitCode === 0 && levels.some(({ passed }) => passed > 0) ? 0 : 1;
  } finally {
    await keeperGone(home);
    await rm(home, { recursive: true, force: true });
  }
}

async function runTests(args: readonly string[], home: string): Promise<number> {
  const report = ["--reporter=junit", `--reporter-outfile=${join(home, "junit.xml")}`];
  // On a machine that others load too a fault may come at another moment than the test means: it is
  // tried once more, and Bun says so.
  if (Bun.env.CI) report.push("--retry=1");
  // A test may be the first to need a server, whose start takes up to three minutes on a busy
  // machine.
  const child = Bun.spawn([process.execPath, "test", "--timeout=240000", ...report, ...args], {
    cwd: join(import.meta.dir, ".."),
    // Whatever the tests leave behind goes with the folder.
    env: { ...Bun.env, TMPDIR: home },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  const onSignal = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  await child.exited;
  return child.exitCode ?? 1;
}

/**
 * After tests that were killed the servers' keeper (tests/keeper.ts) still has to end them: a
 * minute at most.
 */
async function keeperGone(home: string): Promise<void> {
  const until = performance.now() + 60_000;
  while ((await readdir(home)).some((name) => name.startsWith("test-servers-"))) {
    if (performance.now() > until) return;
    await sleep(50);
  }
}
