import { Database, SQLiteError } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";

/** A process as its pid file keeps it: a pid alone may by now be somebody else's. */
export interface ProcessId {
  readonly pid: number;
  /** When it started, as the system tells it; never compared across machines. */
  readonly started: string;
}

export interface SpawnOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  /** Takes both outputs; what is in it already is kept. */
  readonly logFile: string;
}

export interface Spawned extends ProcessId {
  /** False once it has ended. */
  running(): boolean;
}

/**
 * Starts a process in a session of its own: it outlives us and the shell, and hears no Ctrl-C of
 * theirs.
 */
export async function spawnDetached(options: SpawnOptions): Promise<Spawned> {
  await mkdir(dirname(options.logFile), { recursive: true });
  const out = openSync(options.logFile, "a");
  try {
    const child = Bun.spawn([...options.command], {
      cwd: options.cwd,
      detached: true,
      stdin: "ignore",
      stdout: out,
      stderr: out,
    });
    child.unref();
    return {
      pid: child.pid,
      started: (await startedAt(child.pid)) ?? "",
      running: () => child.exitCode === null && child.signalCode === null,
    };
  } finally {
    closeSync(out);
  }
}

/**
 * When a process started; undefined when there is none, or only what is left of one that has ended.
 */
export async function startedAt(pid: number): Promise<string | undefined> {
  if (process.platform === "linux") {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    // The name in parentheses may hold spaces; state is the field after it, start time the 20th
    // (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  }
  const { stdout } = Bun.spawnSync(["ps", "-o", "state=,lstart=", "-p", String(pid)]);
  const line = stdout.toString().trim();
  return line === "" || line.startsWith("Z") ? undefined : line.slice(line.indexOf(" ")).trim();
}

export async function isRunning({ pid, started }: ProcessId): Promise<boolean> {
  return (await startedAt(pid)) === started;
}

export interface EndOptions {
  readonly signal: "SIGTERM" | "SIGINT";
  readonly graceMs: number;
}

/**
 * Asks a process to end and waits for it; after `graceMs` it is killed. True when it ended by
 * itself. A pid that by now belongs to another process is left alone.
 */
export async function endProcess(id: ProcessId, { signal, graceMs }: EndOptions): Promise<boolean> {
  if (!(await isRunning(id))) return true;
  send(id.pid, signal);
  if (await gone(id, graceMs)) return true;
  if (await isRunning(id)) send(id.pid, "SIGKILL");
  if (!(await gone(id, 10_000))) {
    throw new PipelineError("setup", `process ${id.pid} does not end, not even by SIGKILL`);
  }
  return false;
}

/**
 * Runs `work` while nobody else, in this process or another, runs theirs under the same lock file;
 * waits at most `waitMs` for them. The system opens the lock when its holder ends, however that
 * ends.
 */
export async function withLock<T>(
  file: string,
  { waitMs }: { waitMs: number },
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  // A transaction that is never written to: SQLite's locks are the system's own.
  using database = new Database(file, { create: true });
  const until = performance.now() + waitMs;
  while (!beginsAlone(database)) {
    if (performance.now() >= until) {
      throw new PipelineError("setup", `another process is still at work under the lock ${file}`);
    }
    await sleep(50);
  }
  return await work();
}

/** Writes the whole file or leaves the old one. */
export async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

/** The parsed content of a file that this folder wrote itself; undefined when it is not there. */
export async function readJson<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text === "" ? undefined : (JSON.parse(text) as T);
}

function beginsAlone(database: Database): boolean {
  try {
    database.run("begin exclusive");
    return true;
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_BUSY") return false;
    throw error;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    const ended = error instanceof Error && "code" in error && error.code === "ESRCH";
    if (!ended) throw new PipelineError("setup", `not allowed to end ${pid}`, { cause: error });
  }
}

async function gone(id: ProcessId, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (await isRunning(id)) {
    if (performance.now() > until) return false;
    await sleep(25);
  }
  return true;
}
