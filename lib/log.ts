import { pino } from "pino";
import pretty from "pino-pretty";

/**
 * `log.info({ rows, ms }, "published")`: an event with its fields, never a sentence with numbers in
 * it.
 */
export type Log = Pick<pino.Logger, "debug" | "info" | "warn" | "error"> & {
  child(fields: Record<string, unknown>): Log;
};

export interface LogOptions {
  readonly name: string;
  readonly level: string;
}

/**
 * Logs to standard error, which leaves standard output to data: JSON lines, or readable lines on a
 * terminal.
 */
export function openLog({ name, level }: LogOptions): Log {
  const options = {
    name,
    level,
    base: { name },
    redact: { paths: secretPaths, censor: "[secret]" },
  };
  const lines = process.stderr.isTTY
    ? pretty({
        destination: 2,
        sync: true,
        ignore: "pid,hostname",
        translateTime: "HH:MM:ss.l",
      })
    : pino.destination({ dest: 2, sync: true });
  return pino(options, lines);
}

/** Logs nothing: for code that must be given a log and has nobody to read it. */
export const silentLog: Log = pino({ level: "silent" });

const secretPaths = [
  "password",
  "token",
  "authorization",
  "*.password",
  "*.token",
  "*.authorization",
];
