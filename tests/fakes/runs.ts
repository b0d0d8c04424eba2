import type { ClaimedRun, Run, RunRequest } from "../../lib/domain/run.ts";
import { seedOf } from "../../lib/domain/run.ts";
import { PipelineError } from "../../lib/errors.ts";
import type { OnceRuns } from "../../lib/flow/ingest-once.ts";
import type { JudgedPage } from "../../lib/flow/source-to-raw.ts";
import { createFakeBell } from "./bell.ts";

type Writable = { -readonly [K in keyof Run]: Run[K] } & { worker: string | null; silent: boolean };

export interface FakeRuns extends OnceRuns {
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
          (run.state === "queued" || (run.state === "running" && run.silent)),
      );
      if (!free) return undefined;
      Object.assign(free, { state: "running", attempt: free.attempt + 1, worker, silent: false });
      return { ...free, worker };
    },
    heartbeat: async (run) => held(run) !== undefined,
    finish: async (run, state, error) => {
      const mine = held(run);
      if (mine) Object.assign(mine, { state, error: error ?? null });
    },
    release: async (run) => {
      const mine = held(run);
      if (mine) Object.assign(mine, { state: "queued", worker: null });
    },
    wait: bell.wait,
    commitPage: async (run, page) => {
      const mine = held(run);
      if (mine && mine.pages >= page.page) return;
      if (mine?.pages !== page.page - 1)
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

function newRun(id: number, { trigger, logicalTime, results, nat, seed }: RunRequest): Writable {
  return {
    ...{ id, trigger, results, nat, worker: null, silent: false },
    logicalTime: logicalTime?.toISOString() ?? null,
    seed: seed ?? seedOf(logicalTime ? { id, logicalTime } : { id }),
    ...{ state: "queued", attempt: 0, pages: 0, fetched: 0, accepted: 0, rejected: 0 },
    ...{ published: 0, error: null, createdAt: "", startedAt: null, finishedAt: null },
    seconds: null,
  };
}
