import { readdir, readFile, readlink } from "node:fs/promises";
import { PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";

/** The local servers listen here and nowhere else. */
export const loopback = "127.0.0.1";

/**
 * Different ports that nobody listens on. Taken from below the range that systems give to outgoing
 * connections (Linux starts at 32768): there they stay free during the seconds a server needs to
 * start.
 */
export function freePorts(count: number, random: () => number = Math.random): number[] {
  const ports = new Set<number>();
  for (let tries = 0; tries < 1000 && ports.size < count; tries++) {
    const port = 20_000 + Math.floor(random() * 12_000);
    if (isFree(port)) ports.add(port);
  }
  if (ports.size === count) return [...ports];
  throw new PipelineError("setup", `no ${count} free ports between 20000 and 32000`);
}

export function isFree(port: number): boolean {
  try {
    Bun.listen({ hostname: loopback, port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}

/**
 * "java (process 4711)": who listens on a port, as far as the system tells us; else "another
 * process".
 */
export async function holderOf(port: number): Promise<string> {
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const inode of listeningInodes(text, port)) inodes.add(inode);
  }
  for (const pid of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
      if (!inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? "")) continue;
      const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "a process");
      return `${name.trim()} (process ${pid})`;
    }
  }
  return "another process";
}

/** The sockets of a table like /proc/net/tcp that listen on a port, by inode. */
export function listeningInodes(table: string, port: number): string[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const listen = "0A"; // TCP_LISTEN, include/net/tcp_states.h
  return table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(local) && fields[3] === listen)
    .flatMap((fields) => fields[9] ?? []);
}

export interface AskOptions {
  readonly timeoutMs?: number;
  /** Over TLS, whoever answers: it is a process of this machine that we started. */
  readonly tls?: boolean;
}

/**
 * Sends `request` to a local port; the first bytes of the answer, undefined when none comes in
 * time.
 */
export async function ask(
  port: number,
  request: Uint8Array,
  { timeoutMs = 2000, tls = false }: AskOptions = {},
): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const stop = new AbortController();
  try {
    const socket = await Bun.connect({
      hostname: loopback,
      port,
      ...(tls ? { tls: { rejectUnauthorized: false } } : {}),
      socket: {
        open: (socket) => void (tls || socket.write(request)),
        handshake: (socket) => void socket.write(request),
        data: (_socket, bytes) => resolve(Uint8Array.from(bytes)),
        close: () => resolve(undefined),
        error: () => resolve(undefined),
      },
    });
    const late = sleep(timeoutMs, stop.signal).then(
      () => undefined,
      () => undefined,
    );
    const answer = await Promise.race([promise, late]);
    socket.terminate();
    return answer;
  } catch {
    return undefined;
  } finally {
    stop.abort();
  }
}
