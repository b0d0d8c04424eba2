import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { pageUsers } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { performRun, performRuns } from "../../../lib/flow/perform-runs.ts";
import { noLimit } from "../../../lib/flow/rate-limit.ts";
import { rawToTopic, relayOnce } from "../../../lib/flow/raw-to-topic.ts";
import { type Source, sourceToRaw } from "../../../lib/flow/source-to-raw.ts";
import type { Fault } from "../../../lib/local/fake-api/faults.ts";
import { startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { openSource } from "../../../lib/source/randomuser.ts";
import { together } from "../../../lib/together.ts";
import { sourceContract } from "../../contracts/source.ts";
import { failureOf } from "../../failure.ts";
import { createFakePublisher } from "../../fakes/publisher.ts";
import { silentNotes as notes, policy } from "../../performing.ts";
import { openDatabase } from "../../stations.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

/** A store and an API that does what these faults say. */
async function open(...faults: readonly Fault[]) {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await openDatabase());
  const store = opening.use(await openRawStore(database.config, { log, signal: never }));
  const api = opening.use(startFakeApi({ faults }));
  const owned = opening.move();
  return {
    ...store,
    sql: database.sql,
    source: openSource({ url: api.url }, { log, rateLimit: noLimit }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function claimed({ runs }: Awaited<ReturnType<typeof open>>, results: number) {
  const { id } = await runs.create({ trigger: "manual", results, nat: [] });
  const run = await runs.claim("first", id);
  if (!run) throw new Error("no run");
  return run;
}

/** Performs runs until this one has ended. */
async function performed(
  { runs, source }: Pick<Awaited<ReturnType<typeof open>>, "runs" | "source">,
  id: number,
): Promise<void> {
  const stop = new AbortController();
  const options = { worker: "me", atOnce: 2, policy, log, signal: stop.signal };
  const work = failureOf(performRuns(runs, source, options));
  const ended = ["success", "failed", "cancelled"];
  await until(async () => ended.includes((await runs.get(id))?.state ?? ""), { everyMs: 20 });
  stop.abort(new DOMException("stopped", "AbortError"));
  await work;
}

sourceContract("the source over HTTP", () => open());

describe("a run", () => {
  test("that another worker takes over goes on after the last page, with the same users", async () => {
    await using it = await open();
    const results = 2 * pageUsers + 1;
    const run = await claimed(it, results);
    // The first worker ends after one page.
    const source = {
      fetch: (...ask: Parameters<typeof it.source.fetch>) =>
        ask[0].page === 1
          ? it.source.fetch(...ask)
          : Promise.reject(new PipelineError("refused", "gone")),
    };
    await failureOf(sourceToRaw(run, source, it.runs, { notes, log, signal: never }));
    await it.sql`update runs set heartbeat_at = now() - interval '1 minute'`;
    const again = await it.runs.claim("second");
    expect(again).toMatchObject({ id: run.id, attempt: 2, pages: 1 });
    if (again) await performRun(again, it.runs, it.source, { policy, log, signal: never });
    expect(await it.runs.get(run.id)).toMatchObject({
      ...{ state: "success", attempt: 2, pages: 3, fetched: results, accepted: results },
    });

    // What the first worker would have received, had it not ended.
    const whole = await claimed(it, results);
    await sourceToRaw({ ...whole, seed: run.seed }, it.source, it.runs, {
      notes,
      log,
      signal: never,
    });
    const [same] = await it.sql`
      select count(*) from raw_users a join raw_users b using (page, position, user_id)
      where a.run_id = ${run.id} and b.run_id = ${whole.id}`;
    expect(same).toEqual({ count: results });
  });

  test("whose API fails twice and then works has three attempts, the log of each readable", async () => {
    await using it = await open(
      { kind: "500", amount: 0, times: 1 },
      { kind: "truncated", amount: 0, times: 1 },
    );
    const { id } = await it.runs.create({ trigger: "manual", results: 10, nat: [] });
    await performed(it, id);
    expect(await it.runs.get(id)).toMatchObject({ state: "success", attempt: 3, fetched: 10 });
    expect((await it.logs.attempts(id)).map(({ outcome, error }) => [outcome, error])).toEqual([
      ["failed", expect.stringContaining("answered 500")],
      ["failed", expect.stringContaining("not JSON")],
      ["success", null],
    ]);
    const messages = async (attempt: number) =>
      (await it.logs.read(id, { attempt, limit: 100 })).map(({ message }) => message);
    expect(await messages(1)).toEqual(["run started", "attempt failed, tried again"]);
    expect(await messages(2)).toEqual(["run started", "attempt failed, tried again"]);
    expect(await messages(3)).toEqual(["run started", "page committed", "run succeeded"]);
    const [, failure] = await it.logs.read(id, { attempt: 2, limit: 2 });
    expect(failure?.fields.causes).toEqual([
      expect.stringContaining("characters that are not JSON"),
      expect.stringContaining("JSON"),
    ]);
  });

  test("that failed for good goes on, when mended, after its last page: none is fetched again", async () => {
    await using it = await open();
    const asked: number[] = [];
    let broken = true;
    const source: Source = {
      fetch: (...ask) => {
        asked.push(ask[0].page);
        if (broken && ask[0].page === 2) throw new PipelineError("refused", "403");
        return it.source.fetch(...ask);
      },
    };
    const { id } = await it.runs.create({ trigger: "manual", results: 2 * pageUsers + 1, nat: [] });
    await performed({ ...it, source }, id);
    expect(await it.runs.get(id)).toMatchObject({ state: "failed", pages: 1, error: "403" });
    broken = false;
    await it.runs.retry(id);
    await performed({ ...it, source }, id);
    expect(asked).toEqual([1, 2, 2, 3]);
    expect(await it.runs.get(id)).toMatchObject({
      state: "success",
      attempt: 2,
      fetched: 2 * pageUsers + 1,
    });
  });

  test("begun anew has the same users again, with newer versions", async () => {
    await using it = await open();
    const { id } = await it.runs.create({ trigger: "manual", results: 20, nat: [] });
    await performed(it, id);
    await it.runs.retry(id, { fromStart: true });
    await performed(it, id);
    expect(await it.runs.get(id)).toMatchObject({ attempt: 2, pages: 1, fetched: 20 });
    const [same] = await it.sql`
      select count(*) from raw_users a join raw_users b using (run_id, position, user_id)
      where a.page = 1 and b.page = 2 and b.version > a.version`;
    expect(same).toEqual({ count: 20 });
  });

  test("is cancelled wherever it is performed, within a few seconds", async () => {
    await using it = await open({ kind: "hang", amount: 0, times: 1 });
    const { id } = await it.runs.create({ trigger: "manual", results: 20, nat: [] });
    const work = performed(it, id);
    await until(async () => (await it.runs.get(id))?.state === "running");
    await it.runs.cancel(id);
    await work;
    expect(await it.runs.get(id)).toMatchObject({ state: "cancelled", fetched: 0 });
    expect(await it.logs.attempts(id)).toMatchObject([{ outcome: "cancelled" }]);
  });
});

describe("the relay", () => {
  test("publishes again what a crash between topic and outbox left, the very same records", async () => {
    await using it = await open();
    await sourceToRaw(await claimed(it, 100), it.source, it.runs, { notes, log, signal: never });
    const topic = createFakePublisher();
    const crashing = {
      publish: async (...events: Parameters<typeof topic.publish>) => {
        await topic.publish(...events);
        throw new PipelineError("unavailable", "the connection is gone");
      },
    };
    await failureOf(relayOnce(it.outbox, crashing, 1000));
    expect(await relayOnce(it.outbox, topic, 1000)).toBe(100);
    expect(topic.published).toHaveLength(200);
    expect(topic.published.slice(100)).toEqual([...topic.published.slice(0, 100)]);
  });

  test("shares the outbox with others: each row is published once", async () => {
    await using it = await open();
    await sourceToRaw(await claimed(it, 2000), it.source, it.runs, { notes, log, signal: never });
    const topics = [1, 2, 3].map(() => createFakePublisher());
    const stop = new AbortController();
    // Stopped between two batches a relay returns, else it throws the reason: both are well.
    const relays = topics.map(
      (topic) => (signal: AbortSignal) =>
        rawToTopic(it.outbox, topic, { batchRows: 50, log, signal }),
    );
    const relaying = together(stop.signal, relays);
    await until(async () => (await it.outbox.waiting()) === 0);
    stop.abort(new DOMException("stopped", "AbortError"));
    await relaying;
    const keys = topics.flatMap((topic) => topic.published.map(({ key }) => key));
    expect(keys).toHaveLength(2000);
    expect(new Set(keys).size).toBe(2000);
  });
});
