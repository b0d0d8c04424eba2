import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageChain, PipelineError } from "../errors.ts";
import { cassandra } from "./cassandra.ts";
import { fetchJars, type JarProgress } from "./jars.ts";
import { findJava, keepArchive } from "./java.ts";
import { kafka } from "./kafka.ts";
import { defaultHome } from "./paths.ts";
import { freePorts } from "./ports.ts";
import { postgres } from "./postgres.ts";
import { endProcess, withLock } from "./process.ts";
import type { Server, ServerName } from "./server.ts";
import { lastRun, logFilesIn, runningIn, start, startMs, waitUntilReady } from "./start.ts";

export type { ServerName } from "./server.ts";

export interface ServerStatus {
  readonly name: ServerName;
  /** Null when it is down. */
  readonly pid: number | null;
  readonly port: number;
  /** True when it answers clients now. */
  readonly ready: boolean;
  readonly dataDir: string;
}

export interface ServersOptions {
  /** The folder of the data, `.local` of the project by default. */
  readonly home?: string;
  readonly only?: readonly ServerName[];
}

export interface UpOptions extends ServersOptions {
  /** 0 picks a free one. */
  readonly ports?: Partial<Record<ServerName, number>>;
  /**
   * Over ours, by the server's own names: see `serverProperties`, `cassandraYaml`, `postgresConf`.
   */
  readonly settings?: Partial<Record<ServerName, Readonly<Record<string, string>>>>;
  readonly javaHome?: string | undefined;
  /** The servers end with this process, however it ends. Linux only. */
  readonly dieWithParent?: boolean;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: Step) => void;
  readonly onFetch?: (progress: JarProgress) => void;
}

export interface DownOptions extends ServersOptions {
  /** Deletes the data too. */
  readonly wipe?: boolean;
  readonly onStep?: (step: Step) => void;
}

export interface Step {
  readonly name: ServerName;
  readonly port: number;
  readonly state: "up already" | "starting" | "ready" | "stopped" | "killed";
  readonly seconds: number;
}

export const serverNames: readonly ServerName[] = ["kafka", "cassandra", "postgres"];

/** Where each listens unless told otherwise: the ports that clients know it by. */
export const defaultPorts: Readonly<Record<ServerName, number>> = {
  kafka: kafka.defaultPort,
  cassandra: cassandra.defaultPort,
  postgres: postgres.defaultPort,
};

/**
 * Starts what is not up yet, all at once, and resolves when all of them answer. Data of an earlier
 * start is found again. Fails with "setup" when something on this machine is in the way; what did
 * start stays up.
 */
export async function up(options: UpOptions = {}): Promise<ServerStatus[]> {
  return await locked(options, async (places) => {
    const down = places.filter(({ running }) => running === undefined);
    await checkMemory(down.map(({ server }) => server));
    const needsJava = down.some(({ server }) => server.needsJava);
    const java = needsJava ? await findJava(options.javaHome) : undefined;
    const jars = needsJava ? fetchJars(fetchOptions(options)) : Promise.resolve();
    const free = freePorts(2 * places.length);
    const started = places.map(async ({ server, dataDir, running }) => {
      const [own = 0, innerPort = 0] = free.splice(0, 2);
      const asked = options.ports?.[server.name];
      const port = running?.port ?? (asked === 0 ? own : (asked ?? server.defaultPort));
      const since = performance.now();
      const report = (state: Step["state"]) =>
        options.onStep?.({ name: server.name, port, state, seconds: secondsSince(since) });
      const waiting = { dataDir, signal: options.signal };
      if (running) {
        checkSamePort(server, running.port, asked);
        await waitUntilReady(server, { ...waiting, running });
        return report("up already");
      }
      if (server.needsJava) await jars;
      report("starting");
      const settings = options.settings?.[server.name] ?? {};
      const dieWithParent = options.dieWithParent ?? false;
      await start(server, { ...waiting, port, innerPort, settings, java, dieWithParent });
      report("ready");
    });
    await allOf(started, options.signal);
    return await status(options);
  });
}

/**
 * Ends exactly the processes that `up` started; a pid that by now belongs to another process is
 * left alone. Each is asked to end, and killed if it has not after half a minute. The data stays
 * unless `wipe` is set.
 */
export async function down(options: DownOptions = {}): Promise<void> {
  await locked(options, async (places) => {
    const stopped = places.map(async ({ server, dataDir, running }) => {
      const since = performance.now();
      if (running) {
        const itself = await endProcess(running, { signal: server.stopSignal, graceMs: 30_000 });
        if (itself && running.archive) await keepArchive(running.archive);
        const state = itself ? "stopped" : "killed";
        const { port } = running;
        options.onStep?.({ name: server.name, port, state, seconds: secondsSince(since) });
      }
      if (options.wipe) await rm(dataDir, { recursive: true, force: true });
    });
    await allOf(stopped);
  });
}

/** The state of each, in a fixed order. Each that runs is asked whether it answers. */
export async function status(options: ServersOptions = {}): Promise<ServerStatus[]> {
  return await Promise.all(
    wanted(options).map(async (server) => {
      const dataDir = await server.dataDir(options.home ?? defaultHome);
      const running = await runningIn(dataDir);
      const port = running?.port ?? (await lastRun(dataDir))?.port ?? server.defaultPort;
      const ready = running !== undefined && (await server.answers(port));
      return { name: server.name, pid: running?.pid ?? null, port, ready, dataDir };
    }),
  );
}

/** The log files of one server, its own words first, then its outputs. */
export async function logFiles(name: ServerName, home = defaultHome): Promise<readonly string[]> {
  return logFilesIn(await servers[name].dataDir(home));
}

const servers: Readonly<Record<ServerName, Server>> = { kafka, cassandra, postgres };

interface Found {
  readonly server: Server;
  readonly dataDir: string;
  readonly running: Awaited<ReturnType<typeof runningIn>>;
}

function wanted({ only = serverNames }: ServersOptions): Server[] {
  return serverNames.filter((name) => only.includes(name)).map((name) => servers[name]);
}

/** One `up` or `down` at a time for each home; a second one waits for the first. */
async function locked<T>(
  options: ServersOptions,
  work: (places: readonly Found[]) => Promise<T>,
): Promise<T> {
  const { home = defaultHome } = options;
  return await withLock(join(home, "servers.lock"), { waitMs: 2 * startMs }, async () => {
    const places = wanted(options).map(async (server) => {
      const dataDir = await server.dataDir(home);
      return { server, dataDir, running: await runningIn(dataDir) };
    });
    return await work(await Promise.all(places));
  });
}

/**
 * Waits for all, also when some fail, so that nothing goes on behind our back; then fails if one
 * did.
 */
async function allOf(work: readonly Promise<void>[], signal?: AbortSignal): Promise<void> {
  const results = await Promise.allSettled(work);
  signal?.throwIfAborted();
  const reasons = results.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  const unknown = reasons.find((reason) => !(reason instanceof PipelineError));
  if (unknown !== undefined) throw unknown;
  if (reasons.length === 1) throw reasons[0];
  if (reasons.length === 0) return;
  const messages = new Set(reasons.map((reason) => messageChain(reason).join(": ")));
  throw new PipelineError("setup", [...messages].join("\n"), { cause: reasons[0] });
}

function checkSamePort(server: Server, port: number, asked = port): void {
  if (asked === port || asked === 0) return;
  throw new PipelineError(
    "setup",
    `${server.name} is up on port ${port}, not ${asked}. First: bun run servers down`,
  );
}

/**
 * Refuses what would be killed by the system a minute later, or push everything else out of memory.
 */
async function checkMemory(starting: readonly Server[]): Promise<void> {
  const neededMb = starting.reduce((sum, server) => sum + server.memoryMb, 0);
  const meminfo = await readFile("/proc/meminfo", "utf8").catch(() => "");
  const kb = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  if (kb === undefined || Number(kb) / 1024 >= neededMb) return;
  const names = starting.map(({ name }) => name).join(", ");
  throw new PipelineError(
    "setup",
    `too little memory for ${names}: ${neededMb} MB needed, ${Math.floor(Number(kb) / 1024)} MB available`,
  );
}

function fetchOptions({ signal, onFetch }: UpOptions) {
  return { ...(signal ? { signal } : {}), ...(onFetch ? { onProgress: onFetch } : {}) };
}

function secondsSince(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10;
}
