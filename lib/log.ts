import { pino } from "pino";
import pretty from "pino-pretty";
import { createWaits, type Waits } from "./waits.ts";

/**
 * Where the process tells what happens. `log.info({ rows, ms }, "published")`: an event with its
 * fields, never a sentence with numbers in it. What lasts is told once, and stays in `waits`.
 */
export interface Log extends Pick<pino.Logger, "debug" | "info" | "warn" | "error"> {
  readonly waits: Waits;
}

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
  return Object.assign(pino(options, lines), { waits: createWaits() });
}

/** Logs nothing: for code that must be given a log and has nobody to read it. */
export const silentLog: Log = Object.assign(pino({ level: "silent" }), { waits: createWaits() });

const secretPaths = [
  "password",
  "token",
  "authorization",
  "*.password",
  "*.token",
  "*.authorization",
];
