import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { until } from "./until.ts";

/** Scripts as users start them: processes of their own, with settings from the environment. */

export type Settings = Readonly<Record<string, string>>;

export interface ScriptEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningScript extends AsyncDisposable {
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when it has written this to standard error. */
  says(text: string | RegExp): Promise<void>;
  /** Resolves when it has written this to standard output. */
  prints(text: string): Promise<void>;
  signal(signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): void;
  /** Sends a signal, if one is given, and resolves when it has ended. */
  end(signal?: "SIGTERM" | "SIGINT" | "SIGKILL"): Promise<ScriptEnd>;
}

const scripts = resolve(import.meta.dir, "../scripts");

/** Starts a script. Nothing of the tests' own environment reaches it, no `.env` file either. */
export function startScript(
  name: string,
  args: readonly string[] = [],
  settings: Settings = {},
): RunningScript {
  return startProgram(join(scripts, `${name}.ts`), args, settings);
}

/** As `startScript`, for a program that lies elsewhere. */
export function startProgram(
  path: string,
  args: readonly string[] = [],
  settings: Settings = {},
): RunningScript {
  const name = basename(path, ".ts");
  const child = Bun.spawn([process.execPath, path, ...args], {
    cwd: tmpdir(),
    env: { PATH: Bun.env.PATH ?? "", HOME: Bun.env.HOME ?? "", ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const written = { stdout: "", stderr: "" };
  const reading = Promise.all([
    follow(child.stdout, (text) => {
      written.stdout += text;
    }),
    follow(child.stderr, (text) => {
      written.stderr += text;
    }),
  ]);
  const ended = async (): Promise<ScriptEnd> => {
    await Promise.all([child.exited, reading]);
    return { exitCode: child.exitCode, ...written };
  };
  const says = (text: string | RegExp) =>
    typeof text === "string" ? written.stderr.includes(text) : text.test(written.stderr);
  const hasWritten = async (wanted: string | RegExp, there: () => boolean) => {
    const gone = () => child.exitCode !== null || child.signalCode !== null;
    await until(() => there() || gone(), { what: `${name} says ${wanted}` });
    if (!there()) throw new Error(`${name} ended before it said ${wanted}:\n${written.stderr}`);
  };
  return {
    pid: child.pid,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    says: (text) => hasWritten(text, () => says(text)),
    prints: (text) => hasWritten(text, () => written.stdout.includes(text)),
    signal: (signal) => child.kill(signal),
    end: (signal) => {
      if (signal) child.kill(signal);
      return ended();
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended();
    },
  };
}

/** Runs a script to its end. */
export async function runScript(
  name: string,
  args: readonly string[] = [],
  settings: Settings = {},
): Promise<ScriptEnd> {
  await using script = startScript(name, args, settings);
  return await script.end();
}

/** What a script that must succeed prints as JSON. */
export async function jsonOf<T>(
  name: string,
  args: readonly string[],
  settings: Settings,
  exitCode = 0,
): Promise<T> {
  const end = await runScript(name, [...args, "--json"], settings);
  if (end.exitCode !== exitCode)
    throw new Error(`${name} ended with ${end.exitCode}: ${end.stderr}${end.stdout}`);
  return JSON.parse(end.stdout);
}

async function follow(stream: ReadableStream<Uint8Array>, add: (text: string) => void) {
  const decoder = new TextDecoder();
  for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
}
