import { mkdir, open, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";
import type { Java, PendingArchive } from "./java.ts";
import { holderOf, isFree } from "./ports.ts";
import {
  endProcess,
  isRunning,
  type ProcessId,
  readJson,
  type Spawned,
  spawnDetached,
  writeWhole,
} from "./process.ts";
import type { Server } from "./server.ts";

/**
 * What is kept of a server beside its data: the process while it is up, its ports for the next
 * time.
 */
export interface Running extends ProcessId {
  readonly port: number;
  readonly innerPort: number;
  readonly archive?: PendingArchive;
}

export interface StartOptions {
  readonly dataDir: string;
  readonly port: number;
  /** For what its parts say to each other, unless the port of its last start is free. */
  readonly innerPort: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly java: Java | undefined;
  readonly dieWithParent: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Longest start: seconds on a quiet machine, more than a minute on one that is busy with others.
 */
export const startMs = 180_000;

/**
 * Starts a server that is down and resolves when it answers. Fails with "setup", its last log lines
 * in the message, when it ends before that or does not answer within `startMs`; nothing of it runs
 * then.
 */
export async function start(server: Server, options: StartOptions): Promise<Running> {
  const { dataDir, port, settings, java, dieWithParent } = options;
  await checkVersion(server, dataDir);
  await checkDisk(dataDir);
  await checkPort(server, port);
  const before = (await lastRun(dataDir))?.innerPort;
  const innerPort = before && before !== port && isFree(before) ? before : options.innerPort;
  const { command, archive } = await server.prepare({
    ...{ dataDir, port, innerPort, settings, java, dieWithParent },
  });
  await Promise.all(logFilesIn(dataDir).map((file) => rm(file, { force: true })));
  const child = await spawnDetached({ command, cwd: dataDir, logFile: outFile(dataDir) });
  const running = { pid: child.pid, started: child.started, port, innerPort };
  await remember(dataDir, archive ? { ...running, archive } : running);
  try {
    await waitUntilReady(server, { running, dataDir, signal: options.signal, child });
  } catch (error) {
    await endProcess(running, { signal: server.stopSignal, graceMs: 5000 });
    throw error;
  }
  return running;
}

export interface Waiting {
  readonly running: Running;
  readonly dataDir: string;
  readonly signal: AbortSignal | undefined;
  /** Given when this process started it: an end is then seen at once. */
  readonly child?: Spawned;
}

/** Resolves when the server answers; see `start` for how it fails. */
export async function waitUntilReady(server: Server, waiting: Waiting): Promise<void> {
  const { running, dataDir, signal, child } = waiting;
  const until = performance.now() + startMs;
  while (!(await server.answers(running.port))) {
    signal?.throwIfAborted();
    if (!(child ? child.running() : await isRunning(running))) {
      throw new PipelineError(
        "setup",
        `${server.name} ended while it started:\n${await lastLines(dataDir)}`,
      );
    }
    if (performance.now() > until) {
      throw new PipelineError(
        "setup",
        `${server.name} does not answer after ${startMs / 60_000} minutes:\n${await lastLines(dataDir)}`,
      );
    }
    await sleep(50, signal);
  }
}

/** What the last start left on record; undefined where there was none. */
export async function lastRun(dataDir: string): Promise<Running | undefined> {
  return await readJson<Running>(join(dataDir, "process.json"));
}

/** The process that is up; undefined when there is none. */
export async function runningIn(dataDir: string): Promise<Running | undefined> {
  const last = await lastRun(dataDir);
  return last !== undefined && (await isRunning(last)) ? last : undefined;
}

/** The server's own log first, then what it wrote to its outputs. */
export function logFilesIn(dataDir: string): readonly string[] {
  return [join(dataDir, "server.log"), outFile(dataDir)];
}

function outFile(dataDir: string): string {
  return join(dataDir, "out.log");
}

async function remember(dataDir: string, running: Running): Promise<void> {
  await writeWhole(join(dataDir, "process.json"), JSON.stringify(running));
}

async function checkVersion(server: Server, dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, "version");
  const found = (await readFile(file, "utf8").catch(() => "")).trim();
  if (found === "") return await writeWhole(file, `${server.dataVersion}\n`);
  if (found === server.dataVersion) return;
  throw new PipelineError(
    "setup",
    `${dataDir} holds data of ${server.name} ${found}, this is ${server.dataVersion}. ` +
      `Delete it with: bun run servers down --wipe --only ${server.name}`,
  );
}

/** Cassandra and Kafka write logs of 32 MiB and more ahead of the data. */
const neededDiskMb = 500;

async function checkDisk(dataDir: string): Promise<void> {
  const { bavail, bsize } = await statfs(dataDir);
  const freeMb = Math.floor((bavail * bsize) / 2 ** 20);
  if (freeMb >= neededDiskMb) return;
  throw new PipelineError(
    "setup",
    `the disk of ${dataDir} is nearly full: ${freeMb} MB free, ${neededDiskMb} MB needed`,
  );
}

async function checkPort(server: Server, port: number): Promise<void> {
  if (isFree(port)) return;
  throw new PipelineError(
    "setup",
    `port ${port}, for ${server.name}, is taken by ${await holderOf(port)}. ` +
      `Stop it, or choose another port: bun run servers up --${server.name}-port N`,
  );
}

/**
 * Enough of the logs' ends to see why a server ended; the rest is in the files, which are named.
 */
async function lastLines(dataDir: string): Promise<string> {
  const parts: string[] = [];
  for (const file of logFilesIn(dataDir)) {
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    );
    if (size === 0) continue;
    await using handle = await open(file);
    const length = Math.min(size, 4096);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    parts.push(`${file}:`, ...buffer.toString().trimEnd().split("\n").slice(-12));
  }
  return parts.join("\n");
}
