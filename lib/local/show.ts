import type { JarProgress } from "./jars.ts";
import type { ServerStatus, Step } from "./servers.ts";

/** "kafka: ready on 127.0.0.1:9092 after 4.1 s" */
export function stepLine({ name, port, state, seconds }: Step): string {
  if (state === "ready") return `${name}: ready on 127.0.0.1:${port} after ${seconds} s\n`;
  if (state === "stopped") return `${name}: stopped after ${seconds} s\n`;
  if (state === "killed") return `${name}: did not stop within ${seconds} s, killed\n`;
  return `${name}: ${state}${state === "starting" ? "" : ` on 127.0.0.1:${port}`}\n`;
}

/** A table for people: one line a server. */
export function statusTable(list: readonly ServerStatus[]): string {
  const state = ({ pid, ready }: ServerStatus) =>
    pid === null ? "down" : ready ? "ready" : "not answering";
  return list
    .map((one) => {
      const { name, pid, port, dataDir } = one;
      const process = pid === null ? "" : `pid ${pid}`;
      const [a, b, c] = [name.padEnd(10), state(one).padEnd(14), process.padEnd(12)];
      return `${a}${b}${c}127.0.0.1:${String(port).padEnd(6)} ${dataDir}\n`;
    })
    .join("");
}

export interface FetchLinesOptions {
  readonly isTerminal: boolean;
  readonly write: (text: string) => void;
  readonly now?: () => number;
}

/**
 * Shows the progress of a download: one line rewritten on a terminal, else a line every quarter.
 */
export function fetchLines({
  isTerminal,
  write,
  now = () => performance.now(),
}: FetchLinesOptions) {
  const since = now();
  let quarters = 0;
  return ({ bytes, totalBytes }: JarProgress): void => {
    const share = bytes / totalBytes;
    const seconds = (now() - since) / 1000;
    const left = share > 0 ? Math.ceil((seconds / share) * (1 - share)) : 0;
    const figures = `${megabytes(bytes)} of ${megabytes(totalBytes)} MB, ${Math.floor(100 * share)} %`;
    const line = `fetching Kafka and Cassandra: ${figures}, ${left} s left`;
    if (isTerminal) write(`\r\x1b[K${line}${share === 1 ? "\n" : ""}`);
    else if (Math.floor(4 * share) > quarters) write(`${line}\n`);
    quarters = Math.floor(4 * share);
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
