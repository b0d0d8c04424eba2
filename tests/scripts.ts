import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
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
  const child = Bun.spawn([process.execPath, join(scripts, `${name}.ts`), ...args], {
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
  return {
    pid: child.pid,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
    says: async (text) => {
      await until(() => says(text) || child.exitCode !== null, { what: `${name} says ${text}` });
      if (!says(text)) throw new Error(`${name} ended before it said ${text}:\n${written.stderr}`);
    },
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
    throw new Error(`${name} ended with ${end.exitCode}: ${end.stderr}`);
  return JSON.parse(end.stdout);
}

async function follow(stream: ReadableStream<Uint8Array>, add: (text: string) => void) {
  const decoder = new TextDecoder();
  for await (const chunk of stream) add(decoder.decode(chunk, { stream: true }));
}
