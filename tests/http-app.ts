import { readConfig } from "../lib/config.ts";
import type { RunLogLine } from "../lib/domain/attempt.ts";
import type { Backfill } from "../lib/domain/backfill.ts";
import { type History, type HistorySpan, stepsOf } from "../lib/domain/history.ts";
import { type LetterFilter, type LetterInfo, matches } from "../lib/domain/letter-filter.ts";
import type { Pipeline } from "../lib/domain/pipeline.ts";
import { type Run, type RunFilter, type RunRequest, seedOf } from "../lib/domain/run.ts";
import { traceIdOf } from "../lib/domain/trace-context.ts";
import { PipelineError } from "../lib/errors.ts";
import { type AppDeps, createApp } from "../lib/http/app.ts";
import { createPage } from "../lib/http/page.ts";
import { silentLog } from "../lib/log.ts";
import { users } from "./users.ts";

export const json = { "content-type": "application/json" };

/** Bundled once, for all apps of a test file. */
const page = createPage();
const midnight = "2026-01-01T00:00:00.000Z";
const none = { queued: 0, running: 0, success: 0, failed: 0, cancelled: 0, skipped: 0 };

/** The service's app over neighbours in memory; what it asked of them is in `created` and the like. */
export function testApp(over: Partial<AppDeps> = {}) {
  const desk = runsInMemory();
  const opened: Parameters<AppDeps["events"]["open"]>[] = [];
  const app = createApp({
    runs: desk.runs,
    logs: logsInMemory(),
    schedule: scheduleInMemory(),
    backfills: backfillsInMemory(),
    pipeline: { now: async () => standing },
    history: { read: async (span) => historyOf(span) },
    events: {
      open: (...wanted) => {
        opened.push(wanted);
        return new Blob(["retry: 2000\n\n"]).stream();
      },
    },
    letters: lettersInMemory(),
    users: { latest: async (limit) => latest.slice(0, limit) },
    topic: readConfig({}).topic,
    metrics: { contentType: "text/plain; version=0.0.4", text: async () => "up 1\n" },
    checks: {},
    page,
    defaults: { results: 1000, nat: ["gb"] },
    http: { token: "", auth: "on" },
    log: silentLog,
    ...over,
  });
  const send = (method: string, path: string, body?: unknown, headers = {}) =>
    app.request(path, {
      method,
      headers: { ...(body === undefined ? {} : json), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { app, request: app.request, send, opened, created: desk.created, asked: desk.asked };
}

function runsInMemory() {
  const created: RunRequest[] = [];
  const asked: RunFilter[] = [];
  const kept: Run[] = [];
  const ids = new Map<string, number>();
  const get = async (id: number) => kept.find((run) => run.id === id);
  const moved = async (id: number, state: Run["state"], from: readonly Run["state"][]) => {
    const run = await get(id);
    if (run && !from.includes(run.state)) {
      throw new PipelineError("refused", `run ${id} is ${run.state}`);
    }
    return run && Object.assign(run, { state });
  };
  const runs: AppDeps["runs"] = {
    get,
    create: async (request) => {
      created.push(request);
      const again = kept.find(({ id }) => ids.get(request.requestId ?? "") === id);
      if (again) return again;
      const made = queuedRun(kept.length + 1, request);
      if (request.requestId) ids.set(request.requestId, made.id);
      kept.unshift(made);
      return made;
    },
    list: async (filter) => {
      asked.push(filter);
      const { before = Number.POSITIVE_INFINITY, limit } = filter;
      return kept.filter(({ id }) => id < before).slice(0, limit);
    },
    cancel: (id) => moved(id, "cancelled", ["queued", "running", "cancelled"]),
    retry: (id, { fromStart }) =>
      moved(id, "queued", fromStart ? ["cancelled", "success"] : ["cancelled"]),
  };
  return { runs, created, asked };
}

/** Every run has told five lines in each of two attempts. */
function logsInMemory(): AppDeps["logs"] {
  const lines = [1, 2].flatMap((attempt) =>
    [1, 2, 3, 4, 5].map((line) => ({
      ...{ attempt, line, id: `${attempt}.${line}`, at: midnight, level: "info" as const },
      ...{ message: "page kept", fields: { page: line, last: false, why: null } },
    })),
  );
  return {
    attempts: async () => [],
    read: async (run, { attempt, after = { attempt: 0, line: 0 }, limit }) =>
      lines
        .filter((each) => attempt === undefined || each.attempt === attempt)
        .filter((each) => (each.attempt - after.attempt || each.line - after.line) > 0)
        .slice(0, limit)
        .map((each): RunLogLine => ({ ...each, run })),
  };
}

function scheduleInMemory(): AppDeps["schedule"] {
  const schedule = {
    ...{ cron: "0 * * * *", timezone: "UTC", paused: false, catchup: false, maxActiveRuns: 1 },
    ...{ overlap: "queue" as const, version: 1, next: midnight, watermark: midnight, active: 0 },
  };
  return {
    get: async () => ({ ...schedule }),
    next: async (count, changes = {}) =>
      schedule.paused && Object.keys(changes).length === 0
        ? []
        : Array.from({ length: count }, () => midnight),
    change: async (settings, { version } = {}) => {
      if (version !== undefined && version !== schedule.version) return undefined;
      Object.assign(schedule, settings, { version: schedule.version + 1 });
      return { ...schedule };
    },
  };
}

function backfillsInMemory(): AppDeps["backfills"] {
  const kept: Backfill[] = [];
  const ids = new Map<string | undefined, number>();
  const get = async (id: number) => kept.find((backfill) => backfill.id === id);
  return {
    get,
    create: async ({ requestId, from, to, reprocess, order, maxActiveRuns }, { dryRun }) => {
      const runs = [{ logicalTime: from.toISOString(), id: null, state: null }];
      if (dryRun) return { backfill: null, runs };
      const again = requestId && (await get(ids.get(requestId) ?? 0));
      if (again) return { backfill: again, runs };
      ids.set(requestId, kept.length + 1);
      const made: Backfill = {
        ...{ id: kept.length + 1, from: from.toISOString(), to: to.toISOString() },
        ...{ reprocess, order, maxActiveRuns, state: "running", runs: 1 },
        ...{ states: { ...none, queued: 1 }, createdAt: midnight, cancelledAt: null },
      };
      kept.unshift(made);
      return { backfill: made, runs };
    },
    list: async ({ limit, before = Number.POSITIVE_INFINITY }) =>
      kept.filter(({ id }) => id < before).slice(0, limit),
    cancel: async (id) => {
      const found = await get(id);
      return found && Object.assign(found, { state: "cancelled", cancelledAt: midnight });
    },
  };
}

/** One rejected row, which stays what it is. */
function lettersInMemory(): AppDeps["letters"] {
  const letter: LetterInfo = {
    ...{ id: "raw/7", where: "raw", state: "open", stage: "fetch", path: "dob.date", raw: 7 },
    ...{ reason: "dob.date: no date", attempts: 1, at: midnight, topic: null, partition: null },
    ...{ offset: null, run: 1 },
  };
  const value = { as: "json", value: { dob: { date: "soon" } } } as const;
  const none = { as: "nothing", value: null } as const;
  const found = (filter: LetterFilter) => [letter].filter((each) => matches(each, filter));
  return {
    list: async ({ filter, limit, after }) => {
      const letters = after ? [] : found(filter).slice(0, limit);
      return { letters, total: found(filter).length, next: letters[0] };
    },
    show: async (id) =>
      id === letter.id
        ? {
            ...{ ...letter, recordAt: null, letter: null, headers: {}, key: none, value },
            leftOutBytes: null,
          }
        : undefined,
    replay: async ({ filter }) => {
      const letters = found(filter).length;
      return { letters, replayed: 0, refused: letters, kept: 0 };
    },
    purge: async ({ filter, dryRun }) => {
      const letters = found(filter).length;
      return { letters, purged: dryRun ? 0 : letters };
    },
  };
}

const latest = users(3, "latest").map((user) => ({ run: 1, receivedAt: midnight, user }));
const unknown = { up: null, since: null, lastError: null };

const standing: Pipeline = {
  at: midnight,
  stations: {
    source: { up: false, since: midnight, lastError: { at: midnight, message: "answered 500" } },
    raw: { up: true, since: midnight, lastError: null },
    ...{ topic: unknown, table: unknown },
  },
  stuck: { station: "source", since: midnight, why: "answered 500" },
  runs: { ...none, queued: 1 },
  raw: { rows: 5, rejected: 0, pending: 2, oldestPendingSeconds: 0.5, rowsPerSecond: null },
  topic: { records: 3, deadLetters: 0, recordsPerSecond: 1.5 },
  table: null,
  consumers: null,
};

/** Steps of which nothing is known. */
function historyOf({ from, stepSeconds, ...span }: HistorySpan): History {
  const steps = Array.from({ length: stepsOf({ from, stepSeconds, ...span }) }, (_, n) => n);
  const none = steps.map(() => null);
  const spread = { p50: none, p99: none };
  return {
    stepSeconds,
    at: steps.map((n) => from.getTime() / 1000 + n * stepSeconds),
    rowsPerSecond: { raw: none, topic: none, table: none },
    ...{ pending: none, lag: none, batchRows: spread, writeMs: spread, endToEndMs: spread },
  };
}

function queuedRun(id: number, { results, nat, seed = seedOf({ id }), trace }: RunRequest): Run {
  return {
    ...{
      id,
      trigger: "manual",
      logicalTime: null,
      state: "queued",
      attempt: 0,
      seed,
      results,
      nat,
    },
    ...{ pages: 0, fetched: 0, accepted: 0, rejected: 0, published: 0, error: null },
    ...{ errorChain: [], notBefore: null, cancelRequested: false, worker: null, heartbeatAt: null },
    ...{ createdAt: midnight, startedAt: null, finishedAt: null, seconds: null },
    traceId: trace ? traceIdOf(trace) : "4bf92f3577b34da6a3ce929d0e0e4736",
  };
}
