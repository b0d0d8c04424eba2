import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { messageChain, PipelineError } from "../errors.ts";
import { addonPath, packageDir } from "./load.ts";

/**
 * What users of some brokers need beyond TLS, PLAIN, SCRAM and tokens of their own: see README.md.
 */
export type Feature = "oidc" | "gssapi";

export interface BuildOptions {
  /**
   * Keeps finished builds, so that a new node_modules need not wait. `.local/native` by default.
   */
  readonly cacheDir?: string;
  /** The addon's place, for the package's loader. */
  readonly target?: string;
  readonly features?: readonly Feature[];
  /** Hears one line for each step. */
  readonly report?: (line: string) => void;
}

/**
 * Puts the Kafka client's addon in its place: out of the cache, else compiled, which takes one to
 * two minutes on two cores. Does nothing when the right one is there. Two at once wait for each
 * other; an interrupted one leaves nothing that is taken for a result. Throws
 * PipelineError("setup") when a tool is missing or a step fails, with what to do.
 */
export async function buildNative(options: BuildOptions = {}): Promise<"built" | "cached"> {
  const { features = [], target = addonPath, report = () => {} } = options;
  const cacheDir = resolve(options.cacheDir ?? join(projectDir, ".local/native"));
  const built = join(cacheDir, buildKey(features), "kafka.node");
  if (isCopy(target, built)) return "cached";
  mkdirSync(cacheDir, { recursive: true });
  using _lock = lock(join(cacheDir, "lock.sqlite"), report);
  const found = existsSync(built);
  if (!found) await compile(built, features, report);
  install(built, target);
  return found ? "cached" : "built";
}

/** librdkafka as it is in the addon, for a C program: its header's folder, and what to link. */
export async function builtLibrary(options: Pick<BuildOptions, "cacheDir" | "report"> = {}) {
  await buildNative(options);
  const cacheDir = resolve(options.cacheDir ?? join(projectDir, ".local/native"));
  const dir = join(cacheDir, buildKey([]));
  return { includeDir: dir, link: [join(dir, libraryFile), ...linkedLibraries([])] };
}

/** The Debian packages that are missing here for compiling the addon; none when all is there. */
export function missingBuildTools(features: readonly Feature[] = []): string[] {
  const missing = Object.entries({ "g++": "g++", make: "make" }).flatMap(([tool, debian]) =>
    Bun.which(tool) ? [] : [debian],
  );
  const needed = [...libraries, ...features.map((feature) => extras[feature])];
  // Without a compiler nobody can say which headers it would find.
  const unseen = missing.includes("g++") ? needed : needed.filter((it) => !compiles(it.header));
  return [...new Set([...missing, ...unseen.map((it) => it.debian)])];
}

/** "oidc,gssapi" as features; throws PipelineError("usage") for anything else. */
export function parseFeatures(text: string): Feature[] {
  const names = text.split(",").flatMap((name) => name.trim() || []);
  const unknown = names.filter((name) => !(name in extras));
  if (unknown.length > 0) {
    const known = Object.keys(extras).join(", ");
    throw new PipelineError("usage", `no such feature: ${unknown.join(", ")} (there are ${known})`);
  }
  return names as Feature[];
}

const projectDir = resolve(import.meta.dir, "../..");
const headersDir = join(import.meta.dir, "include");
const sourcesDir = join(import.meta.dir, "src");
const makefile = join(import.meta.dir, "Makefile");
const napiDir = join(projectDir, "node_modules/node-api-headers/include");

/** librdkafka's configure asks each time; what it does not find it leaves out without a word. */
const configureOptions = [
  "--enable-static",
  "--disable-debug-symbols",
  "--disable-lz4-ext", // its own copy is as new
  "--disable-syslog",
];

const libraryFile = "librdkafka.a";

const libraries = [
  { debian: "libssl-dev", header: "openssl/ssl.h", names: ["ssl", "crypto"] },
  { debian: "libzstd-dev", header: "zstd.h", names: ["zstd"] },
  { debian: "zlib1g-dev", header: "zlib.h", names: ["z"] },
];

/** Both exist as shared libraries only, or need a dozen others as static ones. */
const extras = {
  oidc: { debian: "libcurl4-openssl-dev", header: "curl/curl.h", option: "curl", name: "curl" },
  gssapi: { debian: "libsasl2-dev", header: "sasl/sasl.h", option: "gssapi", name: "sasl2" },
} as const;

/** Changes with all that decides what the result is, but for the system's own libraries. */
function buildKey(features: readonly Feature[]): string {
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8"));
  const hash = createHash("sha256");
  for (const file of [import.meta.path, makefile, ...filesIn(headersDir), ...filesIn(sourcesDir)]) {
    hash.update(readFileSync(file));
  }
  const libc = existsSync("/lib/ld-musl-x86_64.so.1") || existsSync("/lib/ld-musl-aarch64.so.1");
  const machine = `${process.platform}-${process.arch}${libc ? "-musl" : ""}`;
  return [version, machine, ...[...features].sort(), hash.digest("hex").slice(0, 12)].join("-");
}

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/**
 * A copy has the size and the time of its original: enough to know one that somebody cut or
 * replaced.
 */
function isCopy(copy: string, original: string): boolean {
  const [a, b] = [copy, original].map((path) => statSync(path, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.size === b.size && a.mtimeMs === b.mtimeMs;
}

/** Never in place: a process may have the old one loaded. */
function install(built: string, target: string): void {
  const { mtime } = statSync(built);
  const half = `${target}.${process.pid}`;
  mkdirSync(join(target, ".."), { recursive: true });
  copyFileSync(built, half);
  utimesSync(half, mtime, mtime);
  renameSync(half, target);
}

/** A transaction that is never written: the system ends it with the process, however that ends. */
function lock(path: string, report: (line: string) => void): Disposable {
  const database = new Database(path, { create: true });
  const begin = (waitMs: number) =>
    database.run(`pragma busy_timeout = ${waitMs}`) && database.run("begin exclusive");
  try {
    begin(0);
  } catch {
    report("waiting for another build");
    begin(600_000);
  }
  return { [Symbol.dispose]: () => database.close() };
}

async function compile(
  built: string,
  features: readonly Feature[],
  report: (line: string) => void,
) {
  checkTools(features);
  const dir = workDir(join(built, "../.."));
  report("compiling librdkafka and the addon: one to two minutes on two cores");
  try {
    await configure(dir, features);
    await make(dir, features, report);
    await run([process.execPath, "-e", "require('./kafka.node')"], dir);
    // Beside it, before it: where the addon is, these are.
    for (const file of ["rdkafka.h", libraryFile]) {
      install(join(dir, "librdkafka/src", file), join(built, "..", file));
    }
    install(join(dir, "kafka.node"), built);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * In the cache, where an interrupted build is found and replaced; librdkafka's configure takes no
 * path with a space.
 */
function workDir(cacheDir: string): string {
  const dir = join(cacheDir, "building");
  if (/\s/.test(dir)) return mkdtempSync(join(tmpdir(), "kafka-client-"));
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  return dir;
}

async function configure(dir: string, features: readonly Feature[]): Promise<void> {
  const links = { package: packageDir, own: sourcesDir, include: headersDir, napi: napiDir };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(dir, name));
  await cp(join(packageDir, "deps/librdkafka"), join(dir, "librdkafka"), {
    recursive: true,
    filter: (path) => !/\/librdkafka\/(tests|examples|packaging|win32)$/.test(path),
  });
  const chosen = Object.entries(extras).map(
    ([feature, { option }]) =>
      `--${features.includes(feature as Feature) ? "enable" : "disable"}-${option}`,
  );
  await run(["./configure", ...configureOptions, ...chosen], join(dir, "librdkafka"));
}

async function make(dir: string, features: readonly Feature[], report: (line: string) => void) {
  const libs = `LIBS=${linkedLibraries(features).join(" ")}`;
  const command = ["make", "-f", makefile, libs, "kafka.node"];
  let files = 0;
  await run([...command, "-n"], dir, (line) => (files += compilesFile(line)));
  let done = 0;
  await run([...command, `-j${availableParallelism()}`], dir, (line) => {
    const before = percent(done, files);
    done += compilesFile(line);
    if (percent(done, files) > before) report(`${percent(done, files)} %`);
  });
}

/** Make says each command that compiles a file, also when asked what it would do. */
function compilesFile(line: string): number {
  return / -c \S+\.(c|cc|cpp) /.test(line) ? 1 : 0;
}

/** In steps of ten. */
function percent(done: number, of: number): number {
  return Math.floor((10 * done) / Math.max(of, 1)) * 10;
}

function checkTools(features: readonly Feature[]): void {
  if (process.platform !== "linux" && process.platform !== "darwin") {
    throw new PipelineError(
      "setup",
      `the Kafka client's addon cannot be built on ${process.platform}: use Linux, or WSL on Windows`,
    );
  }
  const missing = missingBuildTools(features);
  if (missing.length > 0) {
    throw new PipelineError(
      "setup",
      `the Kafka client's addon cannot be built, missing: ${missing.join(", ")}\n` +
        `As root on Debian or Ubuntu: apt-get update && apt-get install -y ${missing.join(" ")}\n` +
        "Then: bun lib/native/build.ts",
    );
  }
}

function compiles(header: string): boolean {
  const options = ["-E", "-x", "c++", "-", "-o", "/dev/null"];
  const stdin = Buffer.from(`#include <${header}>\n`);
  return Bun.spawnSync(["g++", ...options], { stdin, stderr: "ignore" }).success;
}

function linkedLibraries(features: readonly Feature[]): string[] {
  return [
    ...libraries.flatMap((library) => library.names).map(linked),
    ...features.map((feature) => `-l${extras[feature].name}`),
    ...(process.platform === "linux" ? ["-lpthread", "-ldl", "-lm", "-lrt"] : []),
  ];
}

/** Static where there is a static one: the result then runs where the library is not installed. */
function linked(name: string): string {
  const { stdout } = Bun.spawnSync(["g++", `-print-file-name=lib${name}.a`]);
  const found = stdout.toString().trim();
  return found.includes("/") ? found : `-l${name}`;
}

/** Runs a command to its end, in English, and hears its output line by line. */
async function run(command: string[], cwd: string, onLine = (_line: string) => {}): Promise<void> {
  const child = Bun.spawn(["sh", "-c", 'LC_ALL=C exec "$@" 2>&1', "sh", ...command], {
    cwd,
    stdin: "ignore",
    stdout: "pipe",
  });
  const lines: string[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) onLine(line);
    lines.push(...parts);
  }
  if ((await child.exited) === 0) return;
  const errors = lines.filter((line) => /error|undefined reference|cannot find/i.test(line));
  const told = (errors.length > 0 ? errors.slice(0, 10) : lines.slice(-10)).join("\n");
  throw new PipelineError("setup", `building the Kafka client failed in ${command[0]}:\n${told}`);
}

if (import.meta.main) {
  // As `postinstall` it never fails an installation: who needs the client is told again by
  // loadKafkaClient().
  const say = (line: string) => process.stderr.write(`kafka client: ${line}\n`);
  try {
    const features = parseFeatures(process.env.KAFKA_NATIVE_WITH ?? "");
    const cacheDir = process.env.KAFKA_NATIVE_CACHE;
    const outcome = await buildNative({ features, report: say, ...(cacheDir ? { cacheDir } : {}) });
    if (outcome === "built") say("built");
  } catch (error) {
    say(messageChain(error).join("\n"));
  }
}
