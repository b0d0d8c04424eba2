import { copyFile, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { defaultHome } from "../../lib/local/paths.ts";
import { builtLibrary } from "../../lib/native/build.ts";

/** The compiled programs that show the limit, built when they are first wanted. */
export interface Programs {
  readonly kafka: Program;
  readonly store: Program;
}

/** Its path, or why there is none on this machine. */
export type Program = { readonly path: string } | { readonly missing: string };

const builtDir = join(defaultHome, "bench");

export async function buildPrograms(report: (line: string) => void): Promise<Programs> {
  await mkdir(builtDir, { recursive: true });
  return { kafka: await buildKafka(report), store: await buildStore(report) };
}

/** In C, with the very library that is in the addon. */
async function buildKafka(report: (line: string) => void): Promise<Program> {
  const source = join(import.meta.dir, "native/kafka.c");
  const path = join(builtDir, "kafka");
  const { includeDir, link } = await builtLibrary({ report });
  if (!(await isNewer(path, [source, ...link.filter((it) => it.startsWith("/"))]))) {
    report("compiling the C program");
    const flags = ["-O2", "-Wall", "-I", includeDir, "-o", path];
    const failure = await failureOf(["gcc", ...flags, source, ...link], {});
    if (failure !== undefined) return { missing: `the C program: ${failure}` };
  }
  return { path };
}

/** In Rust, on the `scylla` crate; takes minutes the first time. */
async function buildStore(report: (line: string) => void): Promise<Program> {
  const dir = join(import.meta.dir, "store");
  const path = join(builtDir, "store-limit");
  const sources = ["Cargo.toml", "Cargo.lock", "src/main.rs"].map((file) => join(dir, file));
  if (await isNewer(path, sources)) return { path };
  const search = `${Bun.env.PATH}:${join(Bun.env.HOME ?? "", ".cargo/bin")}`;
  const cargo = Bun.which("cargo", { PATH: search });
  if (cargo === null) return { missing: "the Rust program needs cargo (rustup.rs)" };
  report("compiling the Rust program: some minutes the first time");
  const target = join(builtDir, "store");
  const failure = await failureOf([cargo, "build", "--release", "--locked"], {
    cwd: dir,
    env: { ...Bun.env, PATH: search, CARGO_TARGET_DIR: target },
  });
  if (failure !== undefined) return { missing: `the Rust program: ${failure}` };
  await copyFile(join(target, "release/store"), path);
  return { path };
}

async function isNewer(path: string, than: readonly string[]): Promise<boolean> {
  const [own = 0, ...others] = await Promise.all([path, ...than].map(changedAt));
  return own > 0 && others.every((other) => own >= other);
}

async function changedAt(path: string): Promise<number> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

/** The last lines of what it said when it failed; undefined when it did not. */
async function failureOf(
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: Record<string, string | undefined> },
): Promise<string | undefined> {
  const child = Bun.spawn([...command], {
    ...options,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const said = await new Response(child.stderr).text();
  return (await child.exited) === 0 ? undefined : said.trim().split("\n").slice(-5).join("\n");
}
