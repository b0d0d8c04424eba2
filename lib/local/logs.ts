import { open, stat } from "node:fs/promises";
import { sleep } from "../sleep.ts";

export interface LogsOptions {
  /** Goes on with what is added until the signal aborts. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
}

/**
 * The ends of log files, up to 8 KiB of each from a whole line on. A file that is not there is
 * empty.
 */
export async function showLogs(files: readonly string[], options: LogsOptions): Promise<void> {
  const { follow, signal, write } = options;
  const shown = new Map<string, number>();
  for (const file of files) {
    const size = await sizeOf(file);
    shown.set(file, size);
    const end = await readPart(file, Math.max(0, size - 8192), size);
    if (end === "") continue;
    write(`==> ${file}\n${size > 8192 ? end.slice(end.indexOf("\n") + 1) : end}`);
  }
  while (follow && !signal.aborted) {
    await sleep(200, signal);
    for (const file of files) {
      const [from, to] = [shown.get(file) ?? 0, await sizeOf(file)];
      // Shorter than before: a new start began it anew.
      if (to !== from) write(await readPart(file, to < from ? 0 : from, to));
      shown.set(file, to);
    }
  }
}

async function sizeOf(file: string): Promise<number> {
  return await stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function readPart(file: string, from: number, to: number): Promise<string> {
  if (to <= from) return "";
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.toString("utf8", 0, bytesRead);
}
