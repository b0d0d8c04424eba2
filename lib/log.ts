import { writeSync } from "node:fs";
import { Writable } from "node:stream";
import { pino } from "pino";
import pretty from "pino-pretty";
import { asciiControls, printable } from "./printable.ts";
import { overProgress } from "./progress.ts";
import { concealer } from "./secrets.ts";
import { createWaits, type Waits } from "./waits.ts";

/**
 * Where the process tells what happens. `log.info({ rows, ms }, "published")`: an event with its
 * fields, never a sentence with numbers in it. What lasts is told once, and stays in `waits`.
 */
export interface Log extends Pick<pino.Logger, "debug" | "info" | "warn" | "error"> {
  readonly waits: Waits;
  /** A text as it may leave the process in another way than this: without secrets. */
  conceal(text: string): string;
}

export interface LogOptions {
  readonly name: string;
  readonly level: string;
  /** Never shown, wherever they turn up in the fields. */
  readonly secrets?: readonly string[];
}

/**
 * Logs to standard error, which leaves standard output to data: JSON lines, or readable lines on a
 * terminal. One event is one line of JSON; no field can move a terminal's cursor or forge a line.
 */
export function openLog({ name, level, secrets = [] }: LogOptions): Log {
  const isTerminal = process.stderr.isTTY;
  const conceal = concealer(secrets);
  // On a terminal the JSON is unpacked again, so what is in it must be harmless by itself.
  const clean = (text: string) => (isTerminal ? printable(conceal(text)) : conceal(text));
  const options: pino.LoggerOptions = {
    name,
    level,
    base: { name },
    redact: { paths: secretPaths, censor: "[secret]" },
    hooks: {
      logMethod(args, method) {
        method.apply(this, args.map((arg) => cleaned(arg, clean)) as typeof args);
      },
      streamWrite: asciiControls,
    },
  };
  const lines = isTerminal
    ? pretty({
        destination: aboveProgress(),
        sync: true,
        ignore: "pid,hostname",
        translateTime: "HH:MM:ss.l",
      })
    : pino.destination({ dest: 2, sync: true });
  return Object.assign(pino(options, lines), { waits: createWaits(), conceal });
}

/** A line of progress that stands where a line of the log begins is written over; it comes again. */
function aboveProgress(): Writable {
  return new Writable({
    write: (lines, _, done) => {
      writeSync(2, `${overProgress()}${lines}`);
      done();
    },
  });
}

/** Logs nothing: for code that must be given a log and has nobody to read it. */
export const silentLog: Log = Object.assign(pino({ level: "silent" }), {
  waits: createWaits(),
  conceal: (text: string) => text,
});

const secretPaths = [
  "password",
  "token",
  "authorization",
  "*.password",
  "*.token",
  "*.authorization",
];

/** Fields with all texts in them cleaned; they are flat, or nearly so. */
function cleaned(value: unknown, clean: (text: string) => string, depth = 0): unknown {
  if (typeof value === "string") return clean(value);
  if (typeof value !== "object" || value === null || depth > 4) return value;
  if (Array.isArray(value)) return value.map((each) => cleaned(each, clean, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, cleaned(each, clean, depth + 1)]),
  );
}
