import type { Backfill, BackfillRequest, BackfillRun } from "../domain/backfill.ts";
import type { ClaimedRun, Run, RunRequest } from "../domain/run.ts";
import type { Decision, Standing } from "../domain/schedule.ts";
import type { Attributes, SpanOptions, Tracing } from "../tracing.ts";
import type { RunStore } from "./perform-runs.ts";
import type { Source } from "./source-to-raw.ts";

/* Spans of runs: when they are queued, each of their attempts, and in it each page. */

/** The parts of the raw store in which runs are queued and performed. */
export interface RunQueues {
  readonly runs: RunStore & { create(request: RunRequest): Promise<Run> };
  readonly schedule: {
    move(
      from: Standing,
      decision: Decision,
      request: Pick<RunRequest, "results" | "nat">,
    ): Promise<boolean>;
  };
  readonly backfills: {
    create(request: BackfillRequest, runs: readonly BackfillRun[]): Promise<Backfill>;
  };
}

/**
 * The same store, with spans: a run belongs to the span in which it was queued, and so does what
 * comes of it later and elsewhere. Without tracing it is the store as it was.
 */
export function tracedStore<S extends RunQueues>(store: S, tracing: Tracing | undefined): S {
  if (!tracing) return store;
  const { runs, schedule, backfills } = store;
  const traced: RunQueues = {
    runs: { ...runs, ...queueing(runs, tracing), ...performing(runs, tracing) },
    schedule: { ...schedule, ...scheduling(schedule, tracing) },
    backfills: {
      ...backfills,
      create: (request, each) =>
        tracing.within("queue backfill", queued("backfill", request), ({ context }) =>
          backfills.create({ ...request, trace: context }, each),
        ),
    },
  };
  return { ...store, ...traced };
}

/** Has the work of an attempt done within its span, if there is tracing. */
export function inAttempt<T>(
  { id, attempt, trace, results, pages, worker }: ClaimedRun,
  tracing: Tracing | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (!tracing) return work();
  const attributes = {
    ...{ [runId]: id, "pipeline.run.attempt": attempt, "pipeline.run.users": results },
    ...{ "pipeline.run.pages_before": pages, "pipeline.worker": worker },
  };
  return tracing.within("run", { kind: "consumer", parent: trace, attributes }, work);
}

/** The same source, with a span for each page that is asked for. */
export function tracedSource(source: Source, tracing: Tracing | undefined): Source {
  if (!tracing) return source;
  return {
    fetch: (request, signal) => {
      const attributes = { [page]: request.page, [users]: request.results };
      return tracing.within("fetch page", { kind: "client", attributes }, () =>
        source.fetch(request, signal),
      );
    },
  };
}

const [runId, logicalTime] = ["pipeline.run.id", "pipeline.run.logical_time"] as const;
const [page, users] = ["pipeline.page", "pipeline.page.users"] as const;

function queued(
  trigger: string,
  { trace }: Pick<RunRequest, "trace">,
  more: Attributes = {},
): SpanOptions {
  const attributes = { "pipeline.run.trigger": trigger, ...more };
  return { kind: "producer", parent: trace, attributes };
}

function queueing(
  runs: Pick<RunQueues["runs"], "create">,
  tracing: Tracing,
): Pick<RunQueues["runs"], "create"> {
  return {
    create: (request) =>
      tracing.within("queue run", queued(request.trigger, request), async (span) => {
        const run = await runs.create({ ...request, trace: span.context });
        span.tell({ [runId]: run.id });
        return run;
      }),
  };
}

function scheduling(schedule: RunQueues["schedule"], tracing: Tracing): RunQueues["schedule"] {
  return {
    move: async (from, decision, request) => {
      const times = decision.skipped === null ? decision.logicalTimes : [];
      const spans = times.map((time) =>
        tracing.start("queue run", queued("schedule", {}, { [logicalTime]: time.toISOString() })),
      );
      const traces = spans.map(({ context }) => context);
      const moved = await schedule.move(from, { ...decision, traces }, request);
      // Of those that decide the same at once one makes the runs: the spans of the others never were.
      if (moved) for (const span of spans) span.end();
      return moved;
    },
  };
}

function performing(runs: RunStore, tracing: Tracing): Pick<RunStore, "commitPage" | "finish"> {
  return {
    commitPage: (run, judged) => {
      const attributes = {
        ...{ "db.system.name": "postgresql", [page]: judged.page, [users]: judged.users.length },
      };
      return tracing.within("commit page", { kind: "client", attributes }, () =>
        runs.commitPage(run, judged),
      );
    },
    finish: async (run, end, lines) => {
      const state = await runs.finish(run, end, lines);
      const failed = end.outcome === "failed" ? new Error(end.errorChain.join(": ")) : undefined;
      tracing.tell({ "pipeline.run.outcome": state ? end.outcome : "lost" }, failed);
      return state;
    },
  };
}
