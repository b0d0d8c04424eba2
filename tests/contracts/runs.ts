import { describe, expect, test } from "bun:test";
import type { Run, RunRequest } from "../../lib/domain/run.ts";
import type { OnceRuns } from "../../lib/flow/ingest-once.ts";
import { failureOf } from "../failure.ts";
import { apiUsers, judgedPage, never } from "../users.ts";

/** A store without runs, and the ways to look into it. */
export interface OpenRuns extends AsyncDisposable {
  readonly runs: OnceRuns;
  /** The ids kept, in order; null for what was no user. */
  kept(): Promise<readonly (string | null)[]>;
  /** The worker that holds the run has not been heard of for too long. */
  silence(id: number): Promise<void>;
}

/** What every store of runs and pages must do, the fake as well as the real one. */
export function runsContract(name: string, open: () => Promise<OpenRuns>): void {
  const manual: RunRequest = { trigger: "manual", results: 10, nat: ["gb"] };
  const claimed = async (runs: OnceRuns, worker: string, id?: number) => {
    const run = await runs.claim(worker, id);
    if (!run) throw new Error("nothing to claim");
    return run;
  };
  const stateOf = async (runs: OnceRuns, id: number): Promise<Partial<Run>> => {
    const { state, attempt, pages, fetched, accepted, rejected, error } =
      (await runs.get(id)) ?? {};
    return { state, attempt, pages, fetched, accepted, rejected, error } as Partial<Run>;
  };

  describe(name, () => {
    test("a run starts in the queue, with a seed of its own", async () => {
      await using it = await open();
      const run = await it.runs.create(manual);
      expect(run).toMatchObject({ ...manual, state: "queued", attempt: 0, seed: `run-${run.id}-` });
      expect(await it.runs.get(run.id)).toMatchObject({ id: run.id, nat: ["gb"] });
    });

    test("the oldest run in the queue is claimed first, each once", async () => {
      await using it = await open();
      const first = await it.runs.create(manual);
      const second = await it.runs.create({ ...manual, seed: "mine" });
      expect(await it.runs.claim("a")).toMatchObject({ id: first.id, attempt: 1, worker: "a" });
      expect(await it.runs.claim("b")).toMatchObject({ id: second.id, seed: "mine", pages: 0 });
      expect(await it.runs.claim("c")).toBeUndefined();
    });

    test("a run is claimed by its id, if it waits", async () => {
      await using it = await open();
      await it.runs.create(manual);
      const { id } = await it.runs.create(manual);
      expect(await it.runs.claim("a", id)).toMatchObject({ id });
      expect(await it.runs.claim("b", id)).toBeUndefined();
    });

    test("of workers that claim at once only one gets the run", async () => {
      await using it = await open();
      await it.runs.create(manual);
      const all = await Promise.all(["a", "b", "c", "d"].map((worker) => it.runs.claim(worker)));
      expect(all.filter((run) => run !== undefined)).toHaveLength(1);
    });

    test("a page is kept with its users, rejected ones too, and counted", async () => {
      await using it = await open();
      const run = await it.runs.create(manual).then(({ id }) => claimed(it.runs, "a", id));
      const page = judgedPage([...apiUsers(2), null]);
      await it.runs.commitPage(run, page);
      const ids = page.users.map((user) => ("id" in user ? user.id : null));
      expect(await it.kept()).toEqual(ids);
      expect(await stateOf(it.runs, run.id)).toMatchObject({
        ...{ state: "running", pages: 1, fetched: 3, accepted: 2, rejected: 1 },
      });
    });

    test("a page committed twice is kept once", async () => {
      await using it = await open();
      const run = await it.runs.create(manual).then(({ id }) => claimed(it.runs, "a", id));
      const page = judgedPage(apiUsers(2));
      await it.runs.commitPage(run, page);
      await it.runs.commitPage(run, page);
      expect(await it.kept()).toHaveLength(2);
      expect(await stateOf(it.runs, run.id)).toMatchObject({ pages: 1, fetched: 2 });
    });

    test("a page that comes before its turn is fenced off, and nothing of it is kept", async () => {
      await using it = await open();
      const run = await it.runs.create(manual).then(({ id }) => claimed(it.runs, "a", id));
      const error = await failureOf(it.runs.commitPage(run, judgedPage(apiUsers(2), 2)));
      expect(error).toMatchObject({ code: "fenced" });
      expect(await it.kept()).toEqual([]);
    });

    test("a silent worker's run goes to another, with its pages, and the silent one is fenced off", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      const old = await claimed(it.runs, "old");
      await it.runs.commitPage(old, judgedPage(apiUsers(2)));
      expect(await it.runs.claim("new")).toBeUndefined();
      await it.silence(id);
      const run = await claimed(it.runs, "new");
      expect(run).toMatchObject({ id, attempt: 2, worker: "new", pages: 1, seed: old.seed });

      const error = await failureOf(it.runs.commitPage(old, judgedPage(apiUsers(2), 2)));
      expect(error).toMatchObject({ code: "fenced", retryable: false });
      expect(await it.runs.heartbeat(old)).toBe(false);
      await it.runs.finish(old, "failed", "silent");
      await it.runs.release(old);
      expect(await stateOf(it.runs, id)).toMatchObject({ state: "running", attempt: 2, pages: 1 });
      expect(await it.kept()).toHaveLength(2);
    });

    test("a worker that says it is alive keeps its run", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      const run = await claimed(it.runs, "a");
      expect(await it.runs.heartbeat(run)).toBe(true);
      expect(await it.runs.claim("b", id)).toBeUndefined();
    });

    test("a run given back is claimed again after its last page", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      const run = await claimed(it.runs, "a");
      await it.runs.commitPage(run, judgedPage(apiUsers(2)));
      await it.runs.release(run);
      expect(await stateOf(it.runs, id)).toMatchObject({ state: "queued", pages: 1 });
      expect(await it.runs.claim("b")).toMatchObject({ id, attempt: 2, pages: 1 });
    });

    test("a run ends as it is said to end, and is not claimed again", async () => {
      await using it = await open();
      const [won, lost] = [await it.runs.create(manual), await it.runs.create(manual)];
      await it.runs.finish(await claimed(it.runs, "a"), "success");
      await it.runs.finish(await claimed(it.runs, "a"), "failed", "the API: 500");
      expect(await stateOf(it.runs, won.id)).toMatchObject({ state: "success", error: null });
      expect(await stateOf(it.runs, lost.id)).toMatchObject({
        state: "failed",
        error: "the API: 500",
      });
      expect(await it.runs.claim("b")).toBeUndefined();
    });

    test("waiting ends when a run is queued", async () => {
      await using it = await open();
      const waited = it.runs.wait(never);
      await it.runs.create(manual);
      await waited;
    });

    test("waiting ends with the reason of the signal", async () => {
      await using it = await open();
      const stop = new AbortController();
      const waited = failureOf(it.runs.wait(stop.signal));
      stop.abort(new DOMException("stopped", "AbortError"));
      expect((await waited).message).toBe("stopped");
    });
  });
}
