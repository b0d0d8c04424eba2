import {
  type AttemptEnd,
  type AttemptOutcome,
  type LogLine,
  type RetryPolicy,
  retryDelayMs,
} from "../domain/attempt.ts";
import type { ClaimedRun, RunState } from "../domain/run.ts";
import { messageChain, PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { together } from "../together.ts";
import type { Tracing } from "../tracing.ts";
import { type AttemptLog, type LineStore, openAttemptLog } from "./attempt-log.ts";
import { type FetchOptions, type PageStore, type Source, sourceToRaw } from "./source-to-raw.ts";
import { inAttempt } from "./traced-runs.ts";

/** Runs, as those who perform them see them. */
export interface RunStore extends PageStore, LineStore {
  claim(worker: string, id?: number): Promise<ClaimedRun | undefined>;
  heartbeat(run: ClaimedRun): Promise<boolean>;
  cancelRequested(run: ClaimedRun): Promise<boolean>;
  finish(
    run: ClaimedRun,
    end: AttemptEnd,
    lines?: readonly LogLine[],
  ): Promise<RunState | undefined>;
  /** Resolves when there may be a run to claim: told so, or after a second. */
  wait(signal: AbortSignal): Promise<void>;
}

export interface PerformOptions extends Pick<FetchOptions, "onPage"> {
  readonly policy: RetryPolicy;
  /** Told of each attempt when it has ended. */
  readonly onAttempt?: ((attempt: EndedAttempt) => void) | undefined;
  /** Each attempt is a span of it. */
  readonly tracing?: Tracing | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface EndedAttempt {
  /** `lost`: another worker holds the run. */
  readonly outcome: Exclude<AttemptOutcome, "running">;
  readonly ms: number;
}

export interface WorkerOptions extends PerformOptions {
  /** Who holds the runs; another name for every process. */
  readonly worker: string;
  /** How many runs are performed beside each other. */
  readonly atOnce: number;
}

/** A third of what a silent worker is allowed. */
const heartbeatMs = 10_000;
/** How late a worker hears that its run is to end. */
const lookMs = 1000;

/** Takes runs from the queue and performs them, some beside each other, until the signal aborts. */
export async function performRuns(
  runs: RunStore,
  source: Source,
  { worker, atOnce, ...options }: WorkerOptions,
): Promise<void> {
  const bug = new AbortController();
  const signal = AbortSignal.any([options.signal, bug.signal]);
  const underWay = new Set<Promise<void>>();
  const begin = (run: ClaimedRun) => {
    const work = performRun(run, runs, source, { ...options, signal })
      .catch((error) => bug.abort(error))
      .finally(() => underWay.delete(work));
    underWay.add(work);
  };
  try {
    while (!signal.aborted) {
      const waiting = { what: "a run to do", log: options.log, signal };
      const run = await retry(() => runs.claim(worker), waiting);
      if (run) begin(run);
      else await runs.wait(signal);
      if (underWay.size >= atOnce) await Promise.race(underWay);
    }
    throw signal.reason;
  } finally {
    await Promise.all(underWay);
  }
}

/**
 * Performs one attempt of a claimed run. It ends with success; or failed, to be tried again after a
 * while if that may help, else with the reason; or cancelled. Stopped by the signal the run goes
 * back to the queue with its committed pages; taken over by another worker it is left alone.
 */
export function performRun(
  run: ClaimedRun,
  runs: RunStore,
  source: Source,
  options: PerformOptions,
): Promise<void> {
  return inAttempt(run, options.tracing, () => perform(run, runs, source, options));
}

async function perform(
  run: ClaimedRun,
  runs: RunStore,
  source: Source,
  { policy, onPage, onAttempt, log, signal }: PerformOptions,
): Promise<void> {
  const notes = openAttemptLog(run, runs, { log, now: () => new Date() });
  const attempt: Attempt = { run, runs, source, notes, policy, onPage, log, pagesKept: 0 };
  const started = performance.now();
  const ended = (outcome: EndedAttempt["outcome"]) =>
    onAttempt?.({ outcome, ms: performance.now() - started });
  try {
    const error = await work(attempt, signal);
    signal.throwIfAborted();
    ended(await finish(attempt, endOf(attempt, error), signal));
    // A bug has ended the run, else it would end every worker that takes it.
    if (error !== undefined && !(error instanceof PipelineError)) throw error;
  } catch (error) {
    if (!signal.aborted) throw error;
    await release(attempt);
    ended("released");
    throw signal.reason;
  }
}

interface Attempt {
  readonly run: ClaimedRun;
  readonly runs: RunStore;
  readonly source: Source;
  readonly notes: AttemptLog;
  readonly policy: RetryPolicy;
  readonly onPage: PerformOptions["onPage"];
  readonly log: Log;
  pagesKept: number;
}

/** Resolves when all pages are kept, or with what went wrong. */
async function work(attempt: Attempt, signal: AbortSignal): Promise<unknown> {
  const { run, runs, source, notes, onPage, log } = attempt;
  const { worker, results, pages } = run;
  const counting: PageStore = {
    commitPage: async (...page) => {
      await runs.commitPage(...page);
      attempt.pagesKept += 1;
    },
  };
  const done = new AbortController();
  const working = together(AbortSignal.any([signal, done.signal]), [
    async (either) => {
      await notes.note("info", { worker, users: results, pages }, "run started");
      if (run.cancelRequested) throw cancelled(run);
      await sourceToRaw(run, source, counting, { notes, onPage, log, signal: either });
      done.abort();
    },
    (either) => notes.keep(either),
    (either) => beat(attempt, either),
    (either) => lookForCancel(attempt, either),
    (either) => timeOut(attempt, either),
  ]);
  return await working.catch((error) => error);
}

async function beat({ run, runs, log }: Attempt, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(heartbeatMs, signal);
    const held = await retry(() => runs.heartbeat(run), beside(log, signal));
    if (!held) throw new PipelineError("fenced", `run ${run.id} is held by another`);
  }
}

async function lookForCancel({ run, runs, log }: Attempt, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(lookMs, signal);
    if (await retry(() => runs.cancelRequested(run), beside(log, signal))) throw cancelled(run);
  }
}

/** The pages of the run wait for the same, and say so. */
function beside(log: Log, signal: AbortSignal) {
  return { what: "PostgreSQL", log, signal, quiet: true };
}

async function timeOut({ policy: { timeoutMs } }: Attempt, signal: AbortSignal): Promise<void> {
  if (timeoutMs === 0) return;
  await sleep(timeoutMs, signal);
  throw new PipelineError("timeout", `the attempt took longer than ${timeoutMs / 1000} s`);
}

function cancelled({ id }: ClaimedRun): PipelineError {
  return new PipelineError("cancelled", `run ${id} was cancelled`);
}

/** What becomes of a run after a failure. An attempt that kept a page begins the count anew. */
function endOf({ run, policy, pagesKept, log }: Attempt, error: unknown): AttemptEnd | "fenced" {
  if (error === undefined) return { outcome: "success" };
  if (!(error instanceof PipelineError)) {
    const errorChain = ["a bug", ...messageChain(error)].map((text) => log.conceal(text));
    return { outcome: "failed", errorChain };
  }
  if (error.code === "fenced") return "fenced";
  if (error.code === "cancelled") return { outcome: "cancelled" };
  const errorChain = messageChain(error).map((text) => log.conceal(text));
  const failures = (pagesKept > 0 ? 0 : run.failures) + 1;
  if (!error.retryable || failures > policy.retries) return { outcome: "failed", errorChain };
  const afterMs = error.retryAfterMs ?? retryDelayMs(failures, policy);
  return { outcome: "failed", errorChain, again: { afterMs, failures } };
}

/**
 * Ends the attempt in the store, however long that takes to answer, and tells of it. Resolves to
 * how it ended.
 */
async function finish(
  attempt: Attempt,
  end: AttemptEnd | "fenced",
  signal: AbortSignal,
): Promise<EndedAttempt["outcome"]> {
  if (end === "fenced") return await left(attempt);
  const { run, runs, notes, pagesKept, log } = attempt;
  const failed = end.outcome === "failed" ? end : undefined;
  const again = failed?.again;
  const message = again ? "attempt failed, tried again" : said[end.outcome];
  const level = again ? "warn" : failed ? "error" : "info";
  const fields = {
    pages: pagesKept,
    ...(failed ? { causes: failed.errorChain } : {}),
    ...(again ? { afterMs: again.afterMs } : {}),
  };
  const lines = notes.last(level, fields, message);
  const waiting = { what: "PostgreSQL", log, signal };
  const state = await retry(() => runs.finish(run, end, lines), waiting);
  if (state === undefined) return await left(attempt);
  log[level]({ run: run.id, attempt: run.attempt, ...fields, state }, message);
  return end.outcome;
}

const said = {
  success: "run succeeded",
  failed: "run failed",
  cancelled: "run cancelled",
  released: "run given back: its worker is stopped",
} as const;

/** For a worker that must stop: others go on with the run, soon or when it has been silent long enough. */
async function release({ run, runs, notes, log }: Attempt): Promise<void> {
  const lines = notes.last("warn", {}, said.released);
  await runs.finish(run, { outcome: "released" }, lines).catch((reason) => {
    log.warn({ run: run.id, reason: messageChain(reason).join(": ") }, "not released");
  });
}

/** Another worker holds the run: what is not kept yet of this attempt's log is kept if possible. */
async function left({ run, runs, notes, log }: Attempt): Promise<"lost"> {
  const message = "run taken over by another worker";
  log.warn({ run: run.id, attempt: run.attempt }, message);
  await runs.keepLines(run, notes.last("warn", {}, message)).catch((reason) => {
    log.warn({ run: run.id, reason: messageChain(reason).join(": ") }, "log not kept");
  });
  return "lost";
}
