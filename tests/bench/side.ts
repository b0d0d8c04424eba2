import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { sleep } from "../../lib/sleep.ts";
import packageJson from "../../package.json";
import type { Measured } from "./figures.ts";
import { peakMb } from "./window.ts";

/** One side of a comparison, in a process of its own: what it costs is then its alone. */

export type Settings = Readonly<Record<string, string>>;

export interface SideOptions {
  readonly settings: Settings;
  readonly signal: AbortSignal;
}

const project = resolve(import.meta.dir, "../..");

/** A program of ours in `sides/`, by its name. */
export function ourSide(name: string, ...args: readonly (string | number)[]): string[] {
  return [process.execPath, join(import.meta.dir, "sides", `${name}.ts`), ...args.map(String)];
}

/** A script as users start it: by the line in package.json, settings first, but with this Bun. */
export function script(
  name: keyof typeof packageJson.scripts,
  ...args: readonly (string | number)[]
): string[] {
  const words = packageJson.scripts[name].split(" ");
  const line = words.map((word) => (word === "bun" ? process.execPath : word));
  return ["env", ...line, ...args.map(String)];
}

/** Runs it to its end. Resolves to what it said of itself in JSON on its last line. */
export async function runSide<T = Measured>(
  command: readonly string[],
  options: SideOptions,
): Promise<T> {
  await using side = startSide(command, options);
  return await side.result<T>();
}

export interface RunningSide extends AsyncDisposable {
  /** As `ended`: what it said in JSON on its last line. */
  result<T>(): Promise<T>;
  /** Resolves to all it printed when it has ended well; rejects with its errors otherwise. */
  ended(): Promise<string>;
  /** What it has used until now, or until it ended. */
  used(): Used;
}
export interface Used {
  readonly cpuSeconds: number;
  readonly peakMb: number;
}

/** How often a process is looked at from outside, for its most memory. */
const lookMs = 50;

/** Starts it. Disposing kills it. */
export function startSide(
  command: readonly string[],
  { settings, signal }: SideOptions,
): RunningSide {
  const child = Bun.spawn([...command], {
    cwd: project,
    env: { PATH: Bun.env.PATH ?? "", HOME: Bun.env.HOME ?? "", LOG_LEVEL: "warn", ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    signal,
    killSignal: "SIGKILL",
  });
  const output = Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  let used: Used = { cpuSeconds: 0, peakMb: 0 };
  const look = () => {
    used = {
      cpuSeconds: cpuOf(child.pid) || used.cpuSeconds,
      peakMb: peakMb(child.pid) || used.peakMb,
    };
  };
  const watching = watch(look, child.exited);
  const ended = async () => {
    const [stdout, stderr] = await output;
    await child.exited;
    signal.throwIfAborted();
    if (child.exitCode === 0) return stdout;
    const name = command.slice(0, 4).join(" ");
    throw new Error(`${name} ended with ${child.signalCode ?? child.exitCode}:\n${stderr}`);
  };
  return {
    ended,
    result: async <T>() => JSON.parse((await ended()).trim().split("\n").at(-1) ?? "") as T,
    used: () => {
      if (child.exitCode === null) look();
      return used;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await Promise.all([child.exited, watching, output]);
    },
  };
}

async function watch(look: () => void, ended: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const stop = () => done.abort();
  ended.then(stop, stop);
  while (!done.signal.aborted) {
    look();
    await sleep(lookMs, done.signal).catch(() => {});
  }
}

/** Seconds of all its threads; 0 when it is gone, or where there is no /proc. */
export function cpuOf(pid: number): number {
  try {
    // After the name, which is in brackets and may hold spaces: user and system time are fields 14 and 15.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    // The kernel counts them in hundredths (USER_HZ), whatever the machine.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}
