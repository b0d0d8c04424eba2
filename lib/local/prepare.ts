import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageChain, PipelineError } from "../errors.ts";
import { missingBuildTools } from "../native/build.ts";
import { addonPath, checkAddon } from "../native/load.ts";
import { findChromium } from "./chromium.ts";
import { fetchJars, missingJars } from "./jars.ts";
import { findJava } from "./java.ts";
import { projectDir } from "./paths.ts";
import { isRoot } from "./privileges.ts";
import { fetchLines } from "./show.ts";

/*
 * Runs before anything is installed: this file, and what it imports, imports built-in modules only.
 */

export interface PrepareOptions {
  readonly javaHome?: string | undefined;
  /** Whether a browser is needed too, as the tests of the dashboard do. */
  readonly browser?: boolean;
  /** Hears what is being done, in lines; standard error by default. */
  readonly write?: (text: string) => void;
}

/**
 * Brings what a fresh machine lacks, and says what it does: Debian or Ubuntu packages (as root
 * only), npm packages, the Kafka client's addon, the jars of the local servers. Where nothing is
 * missing it says nothing and takes a fraction of a second. Fails with "setup" and what to do where
 * it cannot help itself.
 */
export async function prepare(options: PrepareOptions = {}): Promise<void> {
  const write = options.write ?? writeToStandardError;
  await installSystemPackages(options, write);
  const jars = fetchJars({
    onProgress: fetchLines({ isTerminal: process.stderr.isTTY, write }),
  });
  // The compiler is busy for minutes: the download goes on meanwhile.
  const results = await Promise.allSettled([jars, installDependencies(write).then(buildAddon)]);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/**
 * For scripts: true when all is there, false when it has said what is in the way. A bug is thrown.
 */
export async function prepared(script: string, options: PrepareOptions = {}): Promise<boolean> {
  try {
    await prepare(options);
    return true;
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    const write = options.write ?? writeToStandardError;
    write(`${script}: ${messageChain(error).join(": ")}\n`);
    return false;
  }
}

/** What the system lacks, as packages of Debian and Ubuntu. */
export interface Missing {
  readonly packages: readonly string[];
  /** Why Java cannot be used as it is. */
  readonly java: string | undefined;
}

export async function missingFromSystem({
  javaHome,
  browser = false,
}: Pick<PrepareOptions, "javaHome" | "browser"> = {}): Promise<Missing> {
  const java = await findJava(javaHome).then(
    () => undefined,
    (error: unknown) => messageChain(error).join(": "),
  );
  const needsMaven = Object.keys(await missingJars()).length > 0 && Bun.which("mvn") === null;
  const packages = [
    ...(java ? [javaPackage] : []),
    ...(needsMaven ? ["maven"] : []),
    ...(addonProblem() ? missingBuildTools() : []),
    ...(browser && findChromium() === undefined ? [chromiumPackage] : []),
  ];
  return { packages, java };
}

function writeToStandardError(text: string): void {
  process.stderr.write(text);
}

const javaPackage = "openjdk-17-jre-headless";
const chromiumPackage = "chromium";

async function installSystemPackages(
  options: PrepareOptions,
  write: (text: string) => void,
): Promise<void> {
  const { packages, java } = await missingFromSystem(options);
  if (packages.length === 0) return;
  const apt = Bun.which("apt-get");
  if (!apt || !isRoot()) {
    const how = apt ? `\nAs root: apt-get update && apt-get install -y ${packages.join(" ")}` : "";
    throw new PipelineError(
      "setup",
      `missing on this machine: ${packages.join(", ")}${apt ? "" : " (Debian's names)"}${how}` +
        (java && !apt ? `\n${java}` : ""),
    );
  }
  write(`installing ${packages.join(", ")} (apt-get)\n`);
  await aptGet(["update"]);
  const elsewhere = { [javaPackage]: java, [chromiumPackage]: "Chromium or Chrome is missing" };
  for (const [name, why] of Object.entries(elsewhere)) {
    if (!packages.includes(name) || Bun.spawnSync(["apt-cache", "show", name]).success) continue;
    throw new PipelineError("setup", `this system has no package ${name}. ${why}`);
  }
  await aptGet(["install", "-y", "--no-install-recommends", ...packages]);
}

async function aptGet(args: readonly string[]): Promise<void> {
  // Waits for another apt instead of failing; five minutes are more than its locks are held for.
  const patient = ["-o", "DPkg::Lock::Timeout=300", "-q"];
  const env = ["env", "DEBIAN_FRONTEND=noninteractive"];
  await finished([...env, "apt-get", ...patient, ...args], `apt-get ${args[0]}`);
}

/** Installs what bun.lock says, unless what is there was installed from the same. */
async function installDependencies(write: (text: string) => void): Promise<void> {
  const hash = createHash("sha256");
  for (const name of ["bun.lock", "package.json"]) {
    hash.update(await readFile(join(projectDir, name)));
  }
  const wanted = hash.digest("hex");
  const marker = join(projectDir, "node_modules/.installed-from");
  if ((await readFile(marker, "utf8").catch(() => "")) === wanted) return;
  write("installing npm packages (bun install)\n");
  // The one install script is the addon's build, which comes next and shows its progress.
  const flags = ["--frozen-lockfile", "--ignore-scripts"];
  await finished([process.execPath, "install", ...flags], "bun install");
  await writeFile(marker, wanted);
}

/** In a process of its own: its settings come from the environment. It says itself what it does. */
async function buildAddon(): Promise<void> {
  const build = Bun.spawn([process.execPath, join(projectDir, "lib/native/build.ts")], {
    cwd: projectDir,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
  await build.exited;
  checkAddon(addonPath);
}

function addonProblem(): boolean {
  try {
    checkAddon(addonPath);
    return false;
  } catch {
    return true;
  }
}

async function finished(command: readonly string[], what: string): Promise<void> {
  const child = Bun.spawn([...command], {
    cwd: projectDir,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) === 0) return;
  const last = `${out}${err}`.trim().split("\n").slice(-10).join("\n");
  throw new PipelineError("setup", `${what} failed:\n${last}`);
}
