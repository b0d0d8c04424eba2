import type { AttemptEnd, LogLine } from "../domain/attempt.ts";
import type { ClaimedRun, RunState } from "../domain/run.ts";
import { messageChain, PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { sleep } from "../sleep.ts";
import { together } from "../together.ts";
import { type PageStore, type Source, sourceToRaw } from "./source-to-raw.ts";

/** Runs, as those who perform them see them. */
export interface RunStore extends PageStore {
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

export interface PerformOptions {
  /** Who holds the runs; another name for every process. */
  readonly worker: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A third of what a silent worker is allowed. */
const heartbeatMs = 10_000;

/** Takes runs from the queue and performs them, one after another, until the signal aborts. */
export async function performRuns(
  runs: RunStore,
  source: Source,
  { worker, log, signal }: PerformOptions,
): Promise<void> {
  while (!signal.aborted) {
    const run = await retry(() => runs.claim(worker), { what: "a run to do", log, signal });
    if (run) await performRun(run, runs, source, { log, signal });
    else await runs.wait(signal);
  }
}

/**
 * Performs a claimed run to its end: success, or failed with the reason. Stopped by the signal it
 * goes back to the queue with its committed pages; taken over by another worker it is left alone.
 */
export async function performRun(
  run: ClaimedRun,
  runs: RunStore,
  source: Source,
  { log, signal }: Omit<PerformOptions, "worker">,
): Promise<void> {
  const waiting = { what: "PostgreSQL", log, signal };
  const done = new AbortController();
  log.info({ run: run.id, attempt: run.attempt, users: run.results }, "run started");
  try {
    await together(AbortSignal.any([signal, done.signal]), [
      async (either) => {
        await sourceToRaw(run, source, runs, { log, signal: either });
        done.abort();
      },
      (either) => beat(run, runs, log, either),
    ]);
    signal.throwIfAborted();
    await retry(() => runs.finish(run, { outcome: "success" }), waiting);
    log.info({ run: run.id }, "run succeeded");
  } catch (error) {
    if (signal.aborted) {
      await runs.finish(run, { outcome: "released" }).catch((reason) => {
        log.warn({ run: run.id, reason: messageChain(reason).join(": ") }, "not released");
      });
      throw signal.reason;
    }
    if (!(error instanceof PipelineError)) {
      // A bug would end every worker that takes this run: it ends here.
      await runs.finish(run, {
        outcome: "failed",
        errorChain: ["a bug", ...messageChain(error)].map(log.conceal),
      });
      throw error;
    }
    if (error.code === "fenced")
      return log.warn({ run: run.id }, "run taken over by another worker");
    const errorChain = messageChain(error).map(log.conceal);
    await retry(() => runs.finish(run, { outcome: "failed", errorChain }), waiting);
    log.error({ run: run.id, reason: errorChain.join(": ") }, "run failed");
  }
}

async function beat(run: ClaimedRun, runs: RunStore, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(heartbeatMs, signal);
    const held = await retry(() => runs.heartbeat(run), { what: "PostgreSQL", log, signal });
    if (!held) throw new PipelineError("fenced", `run ${run.id} is held by another`);
  }
}
