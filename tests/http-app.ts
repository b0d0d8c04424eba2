import type { Pipeline } from "../lib/domain/pipeline.ts";
import { type Run, type RunFilter, type RunRequest, seedOf } from "../lib/domain/run.ts";
import { type AppDeps, createApp } from "../lib/http/app.ts";
import { silentLog } from "../lib/log.ts";

export const json = { "content-type": "application/json" };

/** The service's app over neighbours in memory; what it asked of them is in `created` and `asked`. */
export function testApp(over: Partial<AppDeps> = {}) {
  const created: RunRequest[] = [];
  const asked: RunFilter[] = [];
  const kept: Run[] = [];
  const opened: Parameters<AppDeps["events"]["open"]>[] = [];
  const ids = new Map<string, number>();
  const runs = {
    get: async (id: number) => kept.find((run) => run.id === id),
    create: async (request: RunRequest) => {
      created.push(request);
      const again = kept.find(({ id }) => ids.get(request.requestId ?? "") === id);
      if (again) return again;
      const made = queuedRun(kept.length + 1, request);
      if (request.requestId) ids.set(request.requestId, made.id);
      kept.unshift(made);
      return made;
    },
    list: async (filter: RunFilter) => {
      asked.push(filter);
      const { before = Number.POSITIVE_INFINITY, limit } = filter;
      return kept.filter(({ id }) => id < before).slice(0, limit);
    },
  };
  const app = createApp({
    runs,
    schedule: { get: async () => ({ cron: "0 * * * *", timezone: "UTC", paused: false }) },
    pipeline: { now: async () => standing },
    events: {
      open: (...wanted) => {
        opened.push(wanted);
        return new Blob(["retry: 2000\n\n"]).stream();
      },
    },
    checks: {},
    defaults: { results: 1000, nat: ["gb"] },
    http: { token: "", auth: "on" },
    log: silentLog,
    ...over,
  });
  const send = (
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ) => app.request(path, { method, body: JSON.stringify(body), headers: { ...json, ...headers } });
  return { app, request: app.request, send, created, asked, opened };
}

const standing: Pipeline = {
  at: "2026-01-01T00:00:00.000Z",
  runs: { queued: 1, running: 0, success: 0, failed: 0, cancelled: 0, skipped: 0 },
  raw: { rows: 5, rejected: 0, pending: 2, oldestPendingSeconds: 0.5, rowsPerSecond: null },
  topic: { records: 3, deadLetters: 0, recordsPerSecond: 1.5 },
  table: null,
};

function queuedRun(id: number, { results, nat, seed = seedOf({ id }) }: RunRequest): Run {
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
    ...{ createdAt: "2026-01-01T00:00:00.000Z", startedAt: null, finishedAt: null, seconds: null },
  };
}
