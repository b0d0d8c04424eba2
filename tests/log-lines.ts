import { type Log, silentLog } from "../lib/log.ts";
import { createWaits } from "../lib/waits.ts";

/** A log that keeps what it is told. */
export interface LogLines extends Log {
  /** Messages with their fields, of one level. */
  told(level: Level, message?: string): readonly Readonly<Record<string, unknown>>[];
}

type Level = "debug" | "info" | "warn" | "error";

export function createLogLines(): LogLines {
  const lines: (readonly [Level, string, Record<string, unknown>])[] = [];
  const at =
    (level: Level) =>
    (...[fields, message]: readonly unknown[]): void =>
      void lines.push([level, String(message ?? fields), message ? Object(fields) : {}]);
  return {
    ...silentLog,
    ...{ debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    waits: createWaits(),
    told: (level, message) =>
      lines
        .filter((line) => line[0] === level && (message === undefined || line[1] === message))
        .map(([, message, fields]) => ({ message, ...fields })),
  };
}
