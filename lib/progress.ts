/**
 * Shows how far a long work has come: one line rewritten on a terminal, else a line every ten
 * seconds.
 */
export interface Progress extends Disposable {
  /** So much is done; `note` stands at the end of the line. */
  show(done: number, note?: string): void;
}

export interface ProgressOptions {
  readonly label: string;
  /** What is counted: "users". */
  readonly unit: string;
  /** How many there are in all, where that is known. */
  readonly total?: number;
  readonly write?: (text: string) => void;
  readonly isTerminal?: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** Short work shows nothing. */
const quietMs = 2000;
const terminalMs = 200;
const pipedMs = 10_000;
const barWidth = 24;

export function createProgress({
  label,
  unit,
  total,
  write = (text) => void process.stderr.write(text),
  isTerminal = process.stderr.isTTY,
  now = () => performance.now(),
}: ProgressOptions): Progress {
  const since = now();
  let shownAt = since + quietMs - (isTerminal ? terminalMs : pipedMs);
  let open = false;
  return {
    show: (done, note) => {
      const at = now();
      if (at - shownAt < (isTerminal ? terminalMs : pipedMs)) return;
      shownAt = at;
      const seconds = (at - since) / 1000;
      const line = progressLine({ label, unit, done, total, seconds, note });
      write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
      open = isTerminal;
    },
    [Symbol.dispose]: () => {
      if (open) write("\r\x1b[K");
    },
  };
}

interface Standing {
  readonly label: string;
  readonly unit: string;
  readonly done: number;
  readonly total?: number | undefined;
  readonly seconds: number;
  readonly note?: string | undefined;
}

/** "ingest [#####.....] 12,000 of 20,000 users, 4,100/s, 2 s left" */
export function progressLine({ label, unit, done, total, seconds, note }: Standing): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const parts = [`${count(done)}${total === undefined ? "" : ` of ${count(total)}`} ${unit}`];
  parts.push(`${count(Math.round(rate))}/s`);
  if (total !== undefined && rate > 0) {
    parts.push(`${count(Math.max(0, Math.ceil((total - done) / rate)))} s left`);
  }
  if (note) parts.push(note);
  const filled = total ? Math.round((barWidth * Math.min(done, total)) / total) : 0;
  const bar = total ? ` [${"#".repeat(filled)}${".".repeat(barWidth - filled)}]` : "";
  return `${label}${bar} ${parts.join(", ")}`;
}

function count(number: number): string {
  return number.toLocaleString("en");
}
