import { readdir, readFile } from "node:fs/promises";

export interface ProcessSize {
  /** Resident, after everything that can be collected has been. */
  readonly mb: number;
  readonly threads: number;
  readonly files: number;
}

/** What this process holds now. Linux only. */
export async function sizeOfProcess(): Promise<ProcessSize> {
  for (let i = 0; i < 3; i++) {
    Bun.gc(true);
    await new Promise((resolve) => setImmediate(resolve)); // finalizers run between turns of the loop
  }
  const [kb, count, files] = await Promise.all([
    status("VmRSS"),
    threads(),
    readdir("/proc/self/fd"),
  ]);
  return { mb: Math.round(kb / 102.4) / 10, threads: count, files: files.length };
}

export function threads(): Promise<number> {
  return status("Threads");
}

async function status(field: string): Promise<number> {
  const text = await readFile("/proc/self/status", "utf8");
  return Number(text.match(new RegExp(`^${field}:\\s+(\\d+)`, "m"))?.[1]);
}
