import * as v from "valibot";
import { runId, runRequest } from "./arguments.ts";
import { type LogPlace, logLineText, type RunAttempt, type RunLogLine } from "./domain/attempt.ts";
import {
  type Run,
  type RunFilter,
  type RunRequest,
  runStates,
  runText,
  triggers,
} from "./domain/run.ts";
import { PipelineError } from "./errors.ts";
import { jsonLine, printable } from "./printable.ts";
import type { Given } from "./run.ts";

/* `bun run runs` list, show, logs, trigger, retry and cancel. */

/** The options of `bun run runs`, beside those of schedule and backfill alone. */
export const runOptions = {
  results: { type: "string", value: "N", about: "trigger, backfill: users a run (RESULTS)" },
  seed: { type: "string", value: "S", about: "trigger: the same seed gives the same users" },
  nat: { type: "string", value: "gb,us", about: "trigger, backfill: nationalities (NAT)" },
  state: { type: "string", value: "S,…", about: `list: ${runStates.join(", ")}` },
  trigger: { type: "string", value: "T,…", about: `list: ${triggers.join(", ")}` },
  limit: { type: "string", value: "N", about: "list, next, backfill list: so many" },
  before: { type: "string", value: "ID", about: "list: older than this run" },
  attempt: { type: "string", value: "N", about: "logs: of this attempt alone" },
  follow: { type: "boolean", about: "logs: go on until the run has ended" },
  "from-start": { type: "boolean", about: "retry: from its first page, with the same users" },
  run: { type: "string", value: "N", about: "republish: the rows of this run" },
  from: { type: "string", value: "T", about: "republish, backfill: from this time on" },
  to: { type: "string", value: "T", about: "republish, backfill: and before this one" },
  "raw-days": {
    type: "string",
    value: "N",
    about: "prune: raw rows older than that (KEEP_RAW_DAYS)",
  },
  "logs-days": { type: "string", value: "N", about: "prune: logs (KEEP_LOGS_DAYS)" },
  "runs-days": { type: "string", value: "N", about: "prune: runs without rows (KEEP_RUNS_DAYS)" },
  "dry-run": { type: "boolean", about: "republish, backfill, prune: only count or list" },
  json: { type: "boolean", about: "print JSON" },
} as const;

/** For how many days `prune` is to keep what: as given, else as set. Fails with `usage`. */
export function keepDays(given: Given<typeof runOptions>, set: KeepDays): KeepDays {
  return {
    raw: numberOf("raw-days", given["raw-days"]) ?? set.raw,
    logs: numberOf("logs-days", given["logs-days"]) ?? set.logs,
    runs: numberOf("runs-days", given["runs-days"]) ?? set.runs,
  };
}

interface KeepDays {
  readonly raw: number;
  readonly logs: number;
  readonly runs: number;
}

/** Runs and their logs, as the HTTP API has them too. */
export interface RunDesk {
  readonly runs: {
    create(request: RunRequest): Promise<Run>;
    get(id: number): Promise<Run | undefined>;
    list(filter: RunFilter): Promise<readonly Run[]>;
    retry(id: number, options: { readonly fromStart: boolean }): Promise<Run | undefined>;
    cancel(id: number): Promise<Run | undefined>;
  };
  readonly logs: {
    attempts(run: number): Promise<readonly RunAttempt[]>;
    read(
      run: number,
      options: { readonly attempt?: number; readonly after?: LogPlace; readonly limit: number },
    ): Promise<readonly RunLogLine[]>;
    wait(signal: AbortSignal): Promise<void>;
  };
}

export interface CommandContext extends RunDesk {
  /** Writes text, waiting for a slow reader. */
  readonly print: (text: string) => Promise<void>;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

type Act = (context: CommandContext) => Promise<void>;

/** Lines read at once. */
const pageLines = 500;

/**
 * What a command line asks for, to be done when there is a connection; undefined when it is none of
 * these commands. Fails with `usage`.
 */
export function runCommand(
  [action, id, ...rest]: readonly string[],
  given: Given<typeof runOptions>,
  defaults: Pick<RunRequest, "results" | "nat">,
): Act | undefined {
  if (rest.length > 0) return undefined;
  switch (action) {
    case "list":
      return list(filterOf(given));
    case "show":
      return show(runId(id));
    case "logs":
      return logs(runId(id), numberOf("attempt", given.attempt), given.follow ?? false);
    case "trigger":
      return trigger(given, defaults);
    case "retry": {
      const fromStart = given["from-start"] ?? false;
      return changed(runId(id), ({ runs }, number) => runs.retry(number, { fromStart }));
    }
    case "cancel":
      return changed(runId(id), ({ runs }, number) => runs.cancel(number));
  }
  return undefined;
}

function list(filter: RunFilter): Act {
  return async ({ runs, print, json }) => {
    const found = await runs.list(filter);
    await print(json ? `${jsonLine(found)}\n` : found.map(lineOf).join(""));
  };
}

function show(id: number): Act {
  return async ({ runs, logs, print, json }) => {
    const run = known(await runs.get(id), id);
    const attempts = await logs.attempts(id);
    if (json) return await print(`${jsonLine({ ...run, attempts })}\n`);
    await print([lineOf(run), ...attempts.map(attemptText)].join(""));
  };
}

/** Prints what is there, and what comes until the run has ended, where that is wanted. */
function logs(id: number, attempt: number | undefined, follow: boolean): Act {
  return async ({ runs, logs, print, json, signal }) => {
    const which = attempt === undefined ? {} : { attempt };
    for (let after: LogPlace | undefined; ; ) {
      signal.throwIfAborted();
      // Looked at before the lines are read: the last ones are there when a run has ended.
      const { state } = known(await runs.get(id), id);
      const place = after ? { after } : {};
      const lines = await logs.read(id, { ...which, ...place, limit: pageLines });
      const text = (line: RunLogLine) => (json ? jsonLine(line) : printable(logLineText(line)));
      await print(lines.map((line) => `${text(line)}\n`).join(""));
      after = lines.at(-1) ?? after;
      if (lines.length === pageLines) continue;
      if (!follow || (state !== "queued" && state !== "running")) return;
      await logs.wait(signal);
    }
  };
}

function trigger(
  { results, seed, nat }: Given<typeof runOptions>,
  defaults: Pick<RunRequest, "results" | "nat">,
): Act {
  const given = Object.entries({ results, seed, nat }).filter(([, value]) => value !== undefined);
  const request = runRequest({ once: true, ...Object.fromEntries(given) }, defaults);
  return async ({ runs, print, json }) => {
    const run = await runs.create({ ...request, requestId: crypto.randomUUID() });
    await print(json ? `${jsonLine(run)}\n` : lineOf(run));
  };
}

function changed(id: number, change: (desk: RunDesk, id: number) => Promise<Run | undefined>): Act {
  return async ({ print, json, ...desk }) => {
    const run = known(await change(desk, id), id);
    await print(json ? `${jsonLine(run)}\n` : lineOf(run));
  };
}

function known(run: Run | undefined, id: number): Run {
  if (!run) throw new PipelineError("refused", `there is no run ${id}`);
  return run;
}

function filterOf(given: Given<typeof runOptions>): RunFilter {
  const { state, trigger } = given;
  const before = numberOf("before", given.before);
  return {
    limit: numberOf("limit", given.limit) ?? 25,
    ...(before === undefined ? {} : { before }),
    ...(state === undefined ? {} : { states: some("state", state, runStates) }),
    ...(trigger === undefined ? {} : { triggers: some("trigger", trigger, triggers) }),
  };
}

function some<T extends string>(option: string, text: string, of: readonly T[]): readonly T[] {
  const parsed = v.safeParse(v.array(v.picklist(of)), text.split(","));
  if (parsed.success) return parsed.output;
  throw new PipelineError("usage", `--${option}=${jsonLine(text)}: expected ${of.join(", ")}`);
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new PipelineError("usage", `--${option}=${jsonLine(text)}: expected a number from 1 on`);
}

function lineOf(run: Run): string {
  return `${printable(runText(run).trimEnd())}\n`;
}

function attemptText({ attempt, outcome, error, pages, startedAt, seconds, worker }: RunAttempt) {
  const why = error === null ? "" : `: ${error}`;
  const line = `attempt ${attempt} ${outcome}${why}; ${pages} pages, from ${startedAt}, ${seconds} s, by ${worker}`;
  return `  ${printable(line)}\n`;
}
