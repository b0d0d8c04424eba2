import { join } from "node:path";

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Bun by default. */
  readonly with?: readonly string[];
  /** Ends a program that hangs. */
  readonly timeoutMs?: number;
}

/** Runs a program of `tests/fixtures/native`, for what may end or hang the whole process. */
export async function runProgram(
  name: string,
  args: readonly string[] = [],
  { with: runtime = [process.execPath], timeoutMs = 120_000 }: RunOptions = {},
): Promise<Ended> {
  const child = Bun.spawn([...runtime, join(import.meta.dir, "fixtures/native", name), ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode: child.exitCode, signal: child.signalCode as string | null, stdout, stderr };
}

/** What the program printed as JSON on its last line; its errors if it failed. */
export function resultOf<T>({ exitCode, signal, stdout, stderr }: Ended): T {
  if (exitCode !== 0) throw new Error(`ended with ${signal ?? exitCode}:\n${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}
