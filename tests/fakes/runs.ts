import type { LogLine } from "../../lib/domain/attempt.ts";
import type { ClaimedRun, Run, RunRequest } from "../../lib/domain/run.ts";
import { pageUsers, seedOf } from "../../lib/domain/run.ts";
import { type TraceContext, traceIdOf } from "../../lib/domain/trace-context.ts";
import { PipelineError } from "../../lib/errors.ts";
import type { OnceRuns } from "../../lib/flow/ingest-once.ts";
import type { JudgedPage } from "../../lib/flow/source-to-raw.ts";
import { createFakeBell } from "./bell.ts";

type Writable = { -readonly [K in keyof Run]: Run[K] } & {
  silent: boolean;
  failures: number;
  pagesBefore: number;
  pageUsers: number;
  trace: TraceContext;
};

export interface FakeRuns extends OnceRuns {
  cancel(id: number): Promise<Run | undefined>;
  retry(id: number, options?: { readonly fromStart?: boolean }): Promise<Run | undefined>;
  /** The lines of all attempts, each once. */
  readonly lines: readonly LogLine[];
  /** Time has come for what waits for its next attempt. */
  due(): void;
  readonly pages: readonly { readonly run: number; readonly page: JudgedPage }[];
  /** The worker that holds the run has not been heard of for too long. */
  silence(id: number): void;
}

/** `onPage` is told of each page that is kept, as the outbox of the real store is. */
export function createFakeRuns(
  onPage: (run: number, page: JudgedPage) => void = () => {},
): FakeRuns {
  const bell = createFakeBell();
  const runs: Writable[] = [];
  const pages: { run: number; page: JudgedPage }[] = [];
  const lines: LogLine[] = [];
  const held = ({ id, attempt, worker }: ClaimedRun) =>
    runs.find(
      (run) =>
        run.id === id &&
        run.attempt === attempt &&
        run.worker === worker &&
        run.state === "running",
    );
  return {
    pages,
    lines,
    due: () => {
      for (const run of runs) run.notBefore = null;
      bell.ring();
    },
    silence: (id) => {
      for (const run of runs) run.silent ||= run.id === id;
    },
    create: async (request) => {
      const made = newRun(runs.length + 1, request);
      runs.push(made);
      bell.ring();
      return { ...made };
    },
    get: async (id) => runs.find((run) => run.id === id),
    claim: async (worker, id) => {
      const free = runs.find(
        (run) =>
          (id === undefined || run.id === id) &&
          ((run.state === "queued" && run.notBefore === null) ||
            (run.state === "running" && run.silent)),
      );
      if (!free) return undefined;
      Object.assign(free, { state: "running", attempt: free.attempt + 1, worker, silent: false });
      Object.assign(free, { error: null, errorChain: [] });
      return { ...free, worker };
    },
    heartbeat: async (run) => held(run) !== undefined,
    keepLines: async (_, kept) => {
      const known = new Set(lines.map(({ line }) => line));
      lines.push(...kept.filter(({ line }) => !known.has(line)));
    },
    cancelRequested: async (run) => held(run)?.cancelRequested ?? false,
    finish: async (run, end, last = []) => {
      const mine = held(run);
      if (!mine) return undefined;
      lines.push(...last);
      const { errorChain, again } = { errorChain: [], again: undefined, ...end };
      const ended = again || end.outcome === "released" ? "queued" : end.outcome;
      mine.state = mine.cancelRequested && ended !== "success" ? "cancelled" : ended;
      mine.error = errorChain.join(": ") || null;
      mine.errorChain = errorChain;
      mine.notBefore = again ? new Date(Date.now() + again.afterMs).toISOString() : null;
      mine.failures = again?.failures ?? mine.failures;
      bell.ring();
      return mine.state;
    },
    cancel: async (id) => {
      const run = runs.find((each) => each.id === id);
      if (!run || run.state === "cancelled") return run;
      if (run.state !== "queued" && run.state !== "running") {
        throw new PipelineError("refused", `run ${id} is ${run.state}: it has ended`);
      }
      run.cancelRequested = true;
      if (run.state === "queued") run.state = "cancelled";
      return { ...run };
    },
    retry: async (id, { fromStart = false } = {}) => {
      const run = runs.find((each) => each.id === id);
      if (!run) return undefined;
      if (["queued", "running"].includes(run.state) || (run.state === "success" && !fromStart)) {
        throw new PipelineError("refused", `run ${id} is ${run.state}: not ended`);
      }
      Object.assign(run, { state: "queued", error: null, errorChain: [], notBefore: null });
      Object.assign(run, { failures: 0, cancelRequested: false });
      if (fromStart) {
        run.pagesBefore += run.pages;
        Object.assign(run, { pages: 0, fetched: 0, accepted: 0, rejected: 0 });
      }
      bell.ring();
      return { ...run };
    },
    wait: bell.wait,
    commitPage: async (run, page) => {
      const mine = held(run);
      const kept = mine && mine.pagesBefore + mine.pages;
      if (kept !== undefined && kept >= page.page) return;
      if (!mine || kept !== page.page - 1)
        throw new PipelineError("fenced", `run ${run.id} is held by another`);
      const rejected = page.users.filter((user) => "rejection" in user).length;
      mine.pages += 1;
      mine.fetched += page.users.length;
      mine.rejected += rejected;
      mine.accepted += page.users.length - rejected;
      pages.push({ run: run.id, page });
      onPage(run.id, page);
    },
  };
}

function newRun(
  id: number,
  { trigger, logicalTime, results, nat, seed, trace = unasked }: RunRequest,
): Writable {
  return {
    ...{ id, trigger, results, nat, worker: null, silent: false },
    logicalTime: logicalTime?.toISOString() ?? null,
    seed: seed ?? seedOf(logicalTime ? { id, logicalTime } : { id }),
    ...{ state: "queued", attempt: 0, pages: 0, fetched: 0, accepted: 0, rejected: 0 },
    ...{ published: 0, error: null, createdAt: "", startedAt: null, finishedAt: null },
    ...{ errorChain: [], notBefore: null, cancelRequested: false, heartbeatAt: null },
    ...{ failures: 0, pagesBefore: 0, pageUsers, trace, traceId: traceIdOf(trace) },
    seconds: null,
  };
}

const unasked = {
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
  tracestate: null,
};
