import { describe, expect, test } from "bun:test";
import type { Run, RunRequest } from "../../lib/domain/run.ts";
import type { OnceRuns } from "../../lib/flow/ingest-once.ts";
import { failureOf } from "../failure.ts";
import type { FakeRuns } from "../fakes/runs.ts";
import { apiUsers, judgedPage, never } from "../users.ts";

/** What workers, people and the HTTP API do with runs. */
type ContractRuns = OnceRuns & Pick<FakeRuns, "cancel" | "retry">;

/** A store without runs, and the ways to look into it. */
export interface OpenRuns extends AsyncDisposable {
  readonly runs: ContractRuns;
  /** The ids kept, in order; null for what was no user. */
  kept(): Promise<readonly (string | null)[]>;
  /** The worker that holds the run has not been heard of for too long. */
  silence(id: number): Promise<void>;
  /** Time has come for what waits for its next attempt. */
  due(): Promise<void>;
}

/** What every store of runs and pages must do, the fake as well as the real one. */
export function runsContract(name: string, open: () => Promise<OpenRuns>): void {
  const manual: RunRequest = { trigger: "manual", results: 10, nat: ["gb"] };
  const claimed = async (runs: ContractRuns, worker: string, id?: number) => {
    const run = await runs.claim(worker, id);
    if (!run) throw new Error("nothing to claim");
    return run;
  };
  const stateOf = async (runs: ContractRuns, id: number): Promise<Partial<Run>> => {
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
      expect(
        await it.runs.finish(old, { outcome: "failed", errorChain: ["silent"] }),
      ).toBeUndefined();
      expect(await it.runs.finish(old, { outcome: "released" })).toBeUndefined();
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
      expect(await it.runs.finish(run, { outcome: "released" })).toBe("queued");
      expect(await stateOf(it.runs, id)).toMatchObject({ state: "queued", pages: 1 });
      expect(await it.runs.claim("b")).toMatchObject({ id, attempt: 2, pages: 1 });
    });

    test("a run ends as it is said to end, and is not claimed again", async () => {
      await using it = await open();
      const [won, lost] = [await it.runs.create(manual), await it.runs.create(manual)];
      await it.runs.finish(await claimed(it.runs, "a"), { outcome: "success" });
      const errorChain = ["the API", "500"];
      await it.runs.finish(await claimed(it.runs, "a"), { outcome: "failed", errorChain });
      expect(await stateOf(it.runs, won.id)).toMatchObject({ state: "success", error: null });
      expect(await stateOf(it.runs, lost.id)).toMatchObject({
        state: "failed",
        error: "the API: 500",
      });
      expect(await it.runs.get(lost.id)).toMatchObject({ errorChain: ["the API", "500"] });
      expect(await it.runs.claim("b")).toBeUndefined();
    });

    test("a run that is to be tried again waits for its time, then goes on after its last page", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      const run = await claimed(it.runs, "a");
      await it.runs.commitPage(run, judgedPage(apiUsers(2)));
      const again = { afterMs: 3_600_000, failures: 3 };
      const end = { outcome: "failed", errorChain: ["500"], again } as const;
      expect(await it.runs.finish(run, end)).toBe("queued");
      expect(await it.runs.get(id)).toMatchObject({ error: "500", notBefore: expect.any(String) });
      expect(await it.runs.claim("b")).toBeUndefined();
      expect(await it.runs.claim("b", id)).toBeUndefined();
      await it.due();
      expect(await it.runs.claim("b")).toMatchObject({ id, attempt: 2, pages: 1, failures: 3 });
      expect(await it.runs.get(id)).toMatchObject({ error: null, errorChain: [] });
    });

    test("a waiting run is cancelled at once", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      expect(await it.runs.cancel(id)).toMatchObject({ state: "cancelled" });
      expect(await it.runs.cancel(id)).toMatchObject({ state: "cancelled" });
      expect(await it.runs.claim("a")).toBeUndefined();
      expect(await it.runs.cancel(42)).toBeUndefined();
    });

    test("a run that is performed is cancelled by who performs it, however its attempt ends", async () => {
      await using it = await open();
      const ends = [
        { outcome: "cancelled" },
        { outcome: "released" },
        { outcome: "failed", errorChain: ["no"], again: { afterMs: 0, failures: 1 } },
      ] as const;
      for (const end of ends) {
        const { id } = await it.runs.create(manual);
        const run = await claimed(it.runs, "a", id);
        expect(run).toMatchObject({ cancelRequested: false });
        expect(await it.runs.cancelRequested(run)).toBe(false);
        expect(await it.runs.cancel(id)).toMatchObject({ state: "running", cancelRequested: true });
        expect(await it.runs.cancelRequested(run)).toBe(true);
        expect(await it.runs.finish(run, end)).toBe("cancelled");
        expect(await it.runs.claim("b")).toBeUndefined();
      }
    });

    test("a run that succeeded before it heard of being cancelled has succeeded", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      const run = await claimed(it.runs, "a");
      await it.runs.cancel(id);
      expect(await it.runs.finish(run, { outcome: "success" })).toBe("success");
      expect(await failureOf(it.runs.cancel(id))).toMatchObject({ code: "refused" });
    });

    test("a run whose silent worker was to cancel it tells so to the next one", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      await claimed(it.runs, "silent");
      await it.runs.cancel(id);
      await it.silence(id);
      expect(await it.runs.claim("b")).toMatchObject({ id, cancelRequested: true });
    });

    test("a failed or cancelled run is tried again after its last page, with a clean slate", async () => {
      await using it = await open();
      for (const outcome of ["failed", "cancelled"] as const) {
        const { id } = await it.runs.create(manual);
        const run = await claimed(it.runs, "a", id);
        await it.runs.commitPage(run, judgedPage(apiUsers(2)));
        if (outcome === "cancelled") await it.runs.cancel(id);
        await it.runs.finish(run, { outcome: "failed", errorChain: ["no"] });
        expect(await it.runs.retry(id)).toMatchObject({
          ...{ state: "queued", error: null, errorChain: [], cancelRequested: false, pages: 1 },
        });
        expect(await it.runs.claim("b", id)).toMatchObject({ attempt: 2, pages: 1, failures: 0 });
      }
      expect(await it.runs.retry(42)).toBeUndefined();
    });

    test("a run begun anew fetches all of its pages again, and keeps those of before", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      const run = await claimed(it.runs, "a");
      await it.runs.commitPage(run, judgedPage(apiUsers(2)));
      await it.runs.finish(run, { outcome: "success" });
      expect(await failureOf(it.runs.retry(id))).toMatchObject({ code: "refused" });
      expect(await it.runs.retry(id, { fromStart: true })).toMatchObject({
        ...{ state: "queued", pages: 0, fetched: 0, accepted: 0, rejected: 0, seed: run.seed },
      });
      const anew = await claimed(it.runs, "b");
      expect(anew).toMatchObject({ id, attempt: 2, pages: 0, pagesBefore: 1 });
      await it.runs.commitPage(anew, judgedPage(apiUsers(3), 2));
      expect(await stateOf(it.runs, id)).toMatchObject({ pages: 1, fetched: 3, accepted: 3 });
      expect(await it.kept()).toHaveLength(5);
    });

    test("a run that has not ended is not tried again", async () => {
      await using it = await open();
      const { id } = await it.runs.create(manual);
      expect(await failureOf(it.runs.retry(id))).toMatchObject({ code: "refused" });
      await claimed(it.runs, "a");
      expect(await failureOf(it.runs.retry(id, { fromStart: true }))).toMatchObject({
        code: "refused",
      });
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
