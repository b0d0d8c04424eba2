import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import { pageUsers } from "../../../lib/domain/run.ts";
import { startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openReader } from "../../../lib/topic/reader.ts";
import { signed } from "../../../lib/webhook.ts";
import { call, openAdmin } from "../../kafka-clients.ts";
import { jsonOf, runScript, startScript } from "../../scripts.ts";
import {
  openKeyspace,
  openPipeline,
  type TestKeyspace,
  type TestPipeline,
} from "../../stations.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(240_000);

let shared: TestKeyspace;
beforeAll(async () => {
  shared = await openKeyspace();
});
afterAll(async () => {
  await shared[Symbol.asyncDispose]();
});

/** A pipeline, and ways to run its scripts; disposing ends all. */
async function open(keyspace = shared) {
  await using opening = new AsyncDisposableStack();
  const pipeline = opening.use(await openPipeline(keyspace));
  const api = opening.use(startFakeApi());
  const settings = { ...pipeline.settings, SOURCE_URL: api.url };
  const owned = opening.move();
  return {
    ...pipeline,
    settings,
    sql: pipeline.database.sql,
    truncate: () => keyspace.client.execute(`truncate ${pipeline.table}`),
    ingest: (users: number) =>
      jsonOf<Run>("ingest", ["--once", "--results", String(users)], settings),
    drain: () => jsonOf("consume", ["--drain"], settings),
    republish: (...which: string[]) => jsonOf("runs", ["republish", ...which], settings),
    verify: (exitCode = 0) => jsonOf("verify", [], settings, exitCode),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Resolves when the broker knows it no longer. */
async function deleteTopic({ topic }: Pick<TestPipeline, "topic">): Promise<void> {
  using admin = await openAdmin(topic.brokers.join(","));
  await call((done) => admin.client.deleteTopic(topic.name, 30_000, done as () => void));
  await using reader = await openReader(topic, { log, signal: never });
  await until(async () => (await reader.watermarks(topic.name)).size === 0);
}

describe("republish", () => {
  test("brings a truncated table back, and leaves the runs as they were", async () => {
    await using it = await open();
    const run = await it.ingest(50);
    await it.drain();
    await it.truncate();
    expect(await it.verify(1)).toMatchObject({ lost: 50, table: 0 });

    const of = ["--run", String(run.id)];
    expect(await it.republish(...of, "--dry-run")).toEqual({ rows: 50, dryRun: true });
    expect(await it.verify(1)).toMatchObject({ topic: 50 });
    expect(await it.republish(...of)).toEqual({ rows: 50, dryRun: false });
    await it.drain();
    expect(await it.verify()).toMatchObject({ lost: 0, table: 50, topic: 100 });
    expect(await jsonOf("runs", ["show", String(run.id)], it.settings)).toMatchObject({
      ...{ state: "success", accepted: 50, published: 50 },
    });
  });

  test("of a span of time sends what was fetched in it: from its start on, before its end", async () => {
    await using it = await open();
    const times = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"];
    for (const [at, time] of times.entries()) {
      const { id } = await it.ingest(10 * (at + 1));
      await it.sql`update raw_users set fetched_at = ${time} where run_id = ${id}`;
    }
    await it.drain();
    await it.truncate();
    const [first = "", second = "", third = ""] = times;
    expect(await it.republish("--from", second, "--to", third)).toEqual({
      ...{ rows: 20, dryRun: false },
    });
    await it.drain();
    expect(await it.verify(1)).toMatchObject({ lost: 40, table: 20 });
    await it.republish("--from", first, "--to", second);
    await it.republish("--from", third, "--to", "2026-01-04T00:00:00Z");
    await it.drain();
    expect(await it.verify()).toMatchObject({ lost: 0, table: 60, topic: 120 });
  });

  test("brings rows back after the topic was deleted, and makes it again", async () => {
    await using it = await open();
    const { id } = await it.ingest(40);
    await it.drain();
    await it.truncate();
    await deleteTopic(it);
    expect(await it.republish("--run", String(id))).toEqual({ rows: 40, dryRun: false });
    await it.drain();
    expect(await it.verify()).toMatchObject({ lost: 0, table: 40, topic: 40, onTheWay: 0 });
  });

  test("brings rows back after the keyspace was dropped, which the consumer makes again", async () => {
    await using keyspace = await openKeyspace();
    await using it = await open(keyspace);
    const { id } = await it.ingest(40);
    await using consume = startScript("consume", [], it.settings);
    const rows = async () =>
      (await keyspace.client.execute(`select id from ${it.table}`)).rowLength;
    await until(async () => (await rows().catch(() => 0)) === 40, { everyMs: 100 });
    await keyspace.client.execute(`drop keyspace ${it.table.split(".")[0]}`);
    expect(await it.republish("--run", String(id))).toEqual({ rows: 40, dryRun: false });
    await until(async () => (await rows().catch(() => 0)) === 40, { everyMs: 100 });
    expect((await consume.end("SIGTERM")).exitCode).toBe(0);
    expect(await it.verify()).toMatchObject({ lost: 0, table: 40, topic: 80, onTheWay: 0 });
  });
});

describe("retry", () => {
  test("is for failed runs alone", async () => {
    await using it = await open();
    const { id } = await it.ingest(5);
    const refused = await runScript("runs", ["retry", String(id)], it.settings);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("is success");
    await it.sql`update runs set state = 'failed', error = 'no' where id = ${id}`;
    expect(await jsonOf("runs", ["retry", String(id)], it.settings)).toMatchObject({
      ...{ id, state: "queued", error: null, pages: 1 },
    });
  });
});

describe("a run that fails for good", () => {
  test("is told of by a signed alert, and goes on after its last page when it is mended", async () => {
    const received: { type: string; verified: boolean; run: number }[] = [];
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    await using receiver = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        const body = await request.text();
        const id = request.headers.get("webhook-id") ?? "";
        const seconds = Number(request.headers.get("webhook-timestamp"));
        const expected = Object.entries(signed(id, seconds, body, secret)).at(-1)?.[1];
        const verified = request.headers.get("webhook-signature") === expected;
        const { type, data } = JSON.parse(body);
        received.push({ type, verified, run: data.run.id });
        // Not taken the first time: it comes again.
        return new Response(null, { status: received.length === 1 ? 503 : 200 });
      },
    });
    const ill = { kind: "500", amount: 0, times: 1 } as const;
    let asked = 0;
    let broken = true;
    await using api = startFakeApi({
      faults: () => {
        asked += 1;
        return broken && asked > 1 ? ill : undefined;
      },
    });
    await using it = await open();
    const settings = {
      ...{ ...it.settings, SOURCE_URL: api.url, SCHEDULE: "0 0 1 1 *" },
      ...{ RETRIES: "2", RETRY_DELAY: "0" },
      ...{ ALERT_WEBHOOK: receiver.url.href, ALERT_SECRET: secret },
    };
    await using ingest = startScript("ingest", [], settings);
    const runs = <T>(...args: string[]) => jsonOf<T>("runs", args, settings);
    const { id } = await runs<Run>("trigger", "--results", String(pageUsers + 1));
    await until(() => received.length === 2, { everyMs: 20 });
    const failed = { type: "run.failed", verified: true, run: id };
    expect(received).toEqual([failed, failed]);
    expect(await runs("show", String(id))).toMatchObject({
      // The first attempt kept a page; two more were allowed after the one that kept none.
      ...{ state: "failed", attempt: 3, pages: 1, error: expect.stringContaining("answered 500") },
    });
    expect(asked).toBe(4);

    broken = false;
    await runs("retry", String(id));
    await until(() => received.length === 3, { everyMs: 20 });
    expect(received[2]).toEqual({ type: "run.recovered", verified: true, run: id });
    expect(await runs("show", String(id))).toMatchObject({
      state: "success",
      fetched: pageUsers + 1,
    });
    expect(asked).toBe(5);
    expect((await ingest.end("SIGTERM")).exitCode).toBe(0);
  });
});

describe("prune", () => {
  test("removes what is old and consumed, and verify stays clean", async () => {
    await using it = await open();
    const aged = async (users: number) => {
      const { id } = await it.ingest(users);
      await it.sql`update raw_users set fetched_at = now() - interval '8 days' where run_id = ${id}`;
    };
    const prune = (...how: string[]) => jsonOf("runs", ["prune", ...how], it.settings);
    await aged(30);
    await it.drain();
    await aged(20);
    const before = await it.verify();
    expect(before).toMatchObject({ raw: 50, table: 30, onTheWay: 20 });
    const week = ["--raw-days", "7"];
    expect(await prune(...week, "--dry-run")).toMatchObject({ raw: 30, dryRun: true });
    expect(await prune(...week)).toMatchObject({ raw: 30, dryRun: false });
    expect(await it.verify()).toMatchObject({
      ...{ raw: 20, table: 30, onTheWay: 20, lost: 0, invented: 0, stale: 0 },
    });
    await it.drain();
    expect(await it.verify()).toMatchObject({ raw: 20, table: 50, lost: 0, invented: 0, stale: 0 });
    expect(await prune(...week)).toMatchObject({ raw: 20 });
    await it.ingest(5);
    await it.drain();
    expect(await it.verify()).toMatchObject({ raw: 5, table: 55, lost: 0, invented: 0, stale: 0 });
  });
});

describe("runs", () => {
  test("are started, followed, looked at and cancelled from the command line", async () => {
    await using it = await open();
    const settings = { ...it.settings, SCHEDULE: "0 0 1 1 *", RETRIES: "0" };
    const runs = <T>(...args: string[]) => jsonOf<T>("runs", args, settings);
    const made = await runs<Run>("trigger", "--results", "7", "--seed", "mine-", "--nat", "gb");
    expect(made).toMatchObject({ state: "queued", results: 7, seed: "mine-", nat: ["gb"] });
    const id = String(made.id);
    await using follower = startScript("runs", ["logs", id, "--follow"], settings);
    await using ingest = startScript("ingest", [], settings);
    const { exitCode, stdout } = await follower.end();
    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toEqual([
      expect.stringContaining("1.1  info   run started"),
      expect.stringMatching(/1\.2 {2}info {3}page committed {2}page=1 {2}users=7/),
      expect.stringContaining("1.3  info   run succeeded"),
    ]);
    expect(await runs("show", id)).toMatchObject({
      ...{ state: "success", attempts: [{ attempt: 1, outcome: "success", pages: 1 }] },
    });
    const again = await runs<Run>("retry", id, "--from-start");
    expect(again).toMatchObject({ state: "queued", fetched: 0 });
    const done = async () => (await runs<Run>("show", id)).state === "success";
    await until(done, { everyMs: 100 });
    expect((await ingest.end("SIGTERM")).exitCode).toBe(0);

    const other = await runs<Run>("trigger");
    expect(await runs("cancel", String(other.id))).toMatchObject({ state: "cancelled" });
    const ids = async (...args: string[]) => (await runs<Run[]>("list", ...args)).map((r) => r.id);
    expect(await ids("--state", "cancelled,failed")).toEqual([other.id]);
    expect(await ids("--before", String(other.id), "--limit", "5")).toEqual([made.id]);
    const { stdout: text } = await runScript("runs", ["logs", id, "--attempt", "2"], settings);
    expect(text.trim().split("\n")).toHaveLength(3);
  });

  test.each([
    [["logs", "--attempt", "1"], "expected the number of a run"],
    [["logs", "1", "--attempt", "x"], "--attempt="],
    [["list", "--state", "done"], "--state="],
    [["trigger", "--results", "0"], "--results="],
    [["cancel", "1", "2"], "runs: expected list|"],
  ])("%j is wrong usage", async (args, words) => {
    const { exitCode, stderr } = await runScript("runs", args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(words);
  });
});
