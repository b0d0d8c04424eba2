/** One try to perform a run, by one worker. */
export interface RunAttempt {
  readonly run: number;
  /** Counted from 1. */
  readonly attempt: number;
  readonly worker: string;
  readonly outcome: AttemptOutcome;
  readonly error: string | null;
  /** The messages of the error and of its causes, the outermost first. */
  readonly errorChain: readonly string[];
  /** Pages that were committed in it. */
  readonly pages: number;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Seconds from start to finish, or to now while it runs. */
  readonly seconds: number;
}

export type AttemptOutcome = (typeof attemptOutcomes)[number];
/** released: its worker had to stop; lost: its worker fell silent. */
export const attemptOutcomes = [
  "running",
  "success",
  "failed",
  "cancelled",
  "released",
  "lost",
] as const;

/** How often a run is tried, and when. */
export interface RetryPolicy {
  /** How many attempts may fail in a row, none of them keeping a page, after the first one. */
  readonly retries: number;
  /** From a failed attempt to the next one; with `exponential` twice as long each time. */
  readonly delayMs: number;
  readonly exponential: boolean;
  /** No delay is longer. */
  readonly maxDelayMs: number;
  /** How long one attempt may take; 0: as long as it likes. */
  readonly timeoutMs: number;
}

/**
 * Milliseconds to wait after so many failures in a row. Between half of the delay and all of it, so
 * that runs that failed together do not come back together.
 */
export function retryDelayMs(
  failures: number,
  { delayMs, exponential, maxDelayMs }: Omit<RetryPolicy, "retries" | "timeoutMs">,
  random: () => number = Math.random,
): number {
  const doubled = exponential ? delayMs * 2 ** Math.min(failures - 1, 30) : delayMs;
  return Math.round(Math.min(doubled, maxDelayMs) * (0.5 + random() / 2));
}

/** How a worker ends an attempt, and what becomes of the run. */
export type AttemptEnd =
  | { readonly outcome: "success" | "cancelled" }
  /** Back into the queue: another worker goes on. */
  | { readonly outcome: "released" }
  | {
      readonly outcome: "failed";
      /** The messages of the error and of its causes, the outermost first. */
      readonly errorChain: readonly string[];
      /** Back into the queue, to be tried again; without it the run has failed. */
      readonly again?: {
        readonly afterMs: number;
        /** Attempts in a row that failed and kept no page, this one included. */
        readonly failures: number;
      };
    };

/** What an attempt tells, for the run's log. Its lines are numbered from 1. */
export interface LogLine {
  readonly line: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}
export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<
  Record<string, string | number | boolean | null | readonly string[]>
>;

/** A line as it is kept. */
export interface RunLogLine extends LogLine {
  /** Names the line within its run: "2.17" is line 17 of attempt 2. */
  readonly id: string;
  readonly run: number;
  readonly attempt: number;
}

/** Where a line stands in the log of a run. */
export interface LogPlace {
  readonly attempt: number;
  readonly line: number;
}

/** The place that a line's id names; undefined when it is none. */
export function parseLogId(id: string): LogPlace | undefined {
  const [, attempt, line] = /^(\d{1,9})\.(\d{1,9})$/.exec(id) ?? [];
  return attempt === undefined ? undefined : { attempt: Number(attempt), line: Number(line) };
}

/** A line in one line, for people: "2026-01-31T12:00:00.000Z  2.17  warn   waiting  afterMs=500". */
export function logLineText({ at, id, level, message, fields }: RunLogLine): string {
  const values = Object.entries(fields).map(([name, value]) => {
    return `${name}=${Array.isArray(value) ? value.join(": ") : value}`;
  });
  return [at, id, level.padEnd(5), message, ...values].join("  ");
}
