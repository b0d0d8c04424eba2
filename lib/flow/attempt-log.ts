import type { LogFields, LogLevel, LogLine } from "../domain/attempt.ts";
import type { ClaimedRun } from "../domain/run.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import type { Notes } from "./source-to-raw.ts";

/** Where the lines of an attempt are kept. A line that comes twice is kept once. */
export interface LineStore {
  keepLines(run: Pick<ClaimedRun, "id" | "attempt">, lines: readonly LogLine[]): Promise<void>;
}

/**
 * The log of an attempt. Its lines go to the log of the process at once, and to the store by `keep`
 * within a second: the work does not wait for its log, unless the store takes none for so long that
 * the buffer is full. No line is lost but by a process that dies.
 */
export interface AttemptLog extends Notes {
  /** Keeps what is noted until the signal aborts; waits for the store for as long as it is down. */
  keep(signal: AbortSignal): Promise<never>;
  /** The lines that are not known to be kept, and one more, the last. It is told nobody else. */
  last(level: LogLevel, fields: LogFields, message: string): readonly LogLine[];
}

export interface AttemptLogOptions {
  readonly log: Log;
  readonly now: () => Date;
}

/** How many lines may wait to be kept. An attempt has a line or two a page. */
const maxLines = 200;
/** How late a line may be read by others. */
const keepMs = 500;

export function openAttemptLog(
  run: ClaimedRun,
  store: LineStore,
  { log, now }: AttemptLogOptions,
): AttemptLog {
  let waiting: readonly LogLine[] = [];
  let lines = 0;
  let room = Promise.withResolvers<void>();
  let ended = false;
  const add = (level: LogLevel, fields: LogFields, message: string) => {
    lines += 1;
    const at = now().toISOString();
    waiting = [...waiting, concealed({ line: lines, at, level, message, fields }, log)];
  };
  return {
    note: async (level, fields, message) => {
      log[level]({ run: run.id, attempt: run.attempt, ...fields }, message);
      while (waiting.length >= maxLines && !ended) await room.promise;
      add(level, fields, message);
    },
    keep: async (signal) => {
      try {
        for (;;) {
          await sleep(keepMs, signal);
          const sent = waiting;
          if (sent.length === 0) continue;
          // The pages of the run wait for the same, and say so.
          const patience = { what: "PostgreSQL", log, signal, quiet: true };
          await retry(() => store.keepLines(run, sent), patience);
          waiting = waiting.slice(sent.length);
          room.resolve();
          room = Promise.withResolvers();
        }
      } finally {
        ended = true;
        room.resolve();
      }
    },
    last: (level, fields, message) => {
      add(level, fields, message);
      return waiting;
    },
  };
}

/** A line that others may read: without secrets, as in the log of the process. */
function concealed(line: LogLine, log: Log): LogLine {
  const clean = <T>(value: T) => (typeof value === "string" ? log.conceal(value) : value);
  const entries = Object.entries(line.fields).map(([name, value]) => {
    return [name, Array.isArray(value) ? value.map(clean) : clean(value)];
  });
  return { ...line, message: log.conceal(line.message), fields: Object.fromEntries(entries) };
}
