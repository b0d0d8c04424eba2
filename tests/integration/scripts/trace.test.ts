import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { encode } from "../../../lib/domain/event.ts";
import type { Run } from "../../../lib/domain/run.ts";
import type { UserTrace } from "../../../lib/domain/user-way.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { openSender } from "../../../lib/topic/producer.ts";
import { openReader } from "../../../lib/topic/reader.ts";
import { type SentSpan, startOtlpReceiver } from "../../otlp-receiver.ts";
import { jsonOf, type RunningScript, runScript, startScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../../stations.ts";
import { apiUsers, judgedPage, never, rows } from "../../users.ts";

// Each starts a dozen processes.
setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
let api: FakeApiServer;
beforeAll(async () => {
  keyspace = await openKeyspace();
  api = startFakeApi();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await keyspace[Symbol.asyncDispose]();
});

async function openStations() {
  const pipeline = await openPipeline(keyspace);
  const settings = {
    ...{ ...pipeline.settings, SOURCE_URL: api.url },
    // A minute that is hours away from any test.
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
  };
  return {
    ...pipeline,
    settings,
    trace: (id: string, exitCode = 0) => jsonOf<UserTrace>("trace", [id], settings, exitCode),
    records: async () => {
      await using reader = await openReader(pipeline.topic, { log, signal: never });
      return (await Array.fromAsync(reader.read(pipeline.topic.name))).flat();
    },
  };
}

/** Where the service says it listens. */
async function urlOf(script: RunningScript): Promise<string> {
  const line = /"url":"([^"]+)","msg":"listening"/;
  await script.says(line);
  return line.exec(script.stderr)?.[1] ?? "";
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

const first = (spans: readonly SentSpan[]): SentSpan => {
  const [span] = spans;
  if (!span) throw new Error("no such span");
  return span;
};

test("a request's trace goes from the service by the topic to the write, in headers and in spans", async () => {
  await using it = await openStations();
  await using collector = startOtlpReceiver();
  const settings = {
    ...it.settings,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "100",
  };
  await using ingest = startScript("ingest", [], settings);
  const url = await urlOf(ingest);
  const answer = await fetch(`${url}api/runs`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent, tracestate: "a=1" },
    body: '{"results": 3}',
  });
  expect(await answer.json()).toMatchObject({ traceId });
  await collector.has(`send ${it.topic.name}`);
  await runScript("consume", ["--drain"], settings);
  expect((await ingest.end("SIGTERM")).exitCode).toBe(0);

  const [queued, run] = [first(collector.named("queue run")), first(collector.named("run"))];
  const sent = first(collector.named(`send ${it.topic.name}`));
  const processed = first(collector.named(`process ${it.topic.name}`));
  const written = first(collector.named(`insert ${it.table.split(".")[1]}`));
  expect(queued).toMatchObject({ service: "ingest", traceId, parentSpanId: "00f067aa0ba902b7" });
  for (const span of [run, sent, processed]) {
    expect(span).toMatchObject({ traceId, parentSpanId: queued.spanId });
  }
  for (const name of ["fetch page", "commit page"]) {
    expect(first(collector.named(name)).parentSpanId).toBe(run.spanId);
  }
  expect(written).toMatchObject({ service: "consume", traceId, parentSpanId: processed.spanId });
  for (const span of [sent, processed]) {
    expect(span.links).toMatchObject([{ traceId, spanId: queued.spanId }]);
  }
  const own = `00-${traceId}-${queued.spanId}-01`;
  const records = await it.records();
  expect(records).toHaveLength(3);
  for (const { headers } of records) {
    expect([String(headers.traceparent), String(headers.tracestate)]).toEqual([own, "a=1"]);
  }
  const found = await it.trace(String(records[0]?.key));
  expect(found).toMatchObject({
    state: "inTable",
    received: [{ traceId, records: [{ traceId }] }],
  });
});

describe("bun run trace", () => {
  test("finds a user wherever it is", async () => {
    await using it = await openStations();
    await runScript("migrate", [], it.settings);
    const [ada, bad, big, lost] = apiUsers(4);
    const ids = [ada, bad, big, lost].map((user) => user?.login.uuid ?? "");
    const [adaId = "", badId = "", bigId = "", lostId = ""] = ids;
    // Larger than an index takes: refused by the store, and by it alone.
    const picture = {
      large: "",
      medium: `https://example.org/${"x".repeat(70_000)}`,
      thumbnail: "",
    };
    const table = it.table.split(".");
    await keyspace.client.execute(`create index pictures_${table[1]} on ${it.table} (picture)`);
    {
      await using raw = await openRawStore(it.database.config, { log, signal: never });
      const { id } = await raw.runs.create({ trigger: "manual", results: 4, nat: [] });
      const run = await raw.runs.claim("test", id);
      if (!run) throw new Error("no run");
      const page = judgedPage([ada, { ...bad, email: 5 }, { ...big, picture }, lost]);
      await raw.runs.commitPage(run, page);
      await raw.runs.finish(run, { outcome: "success" });
    }
    const waiting = await it.trace(adaId);
    expect(waiting).toMatchObject({ state: "waiting", table: null, received: [{ records: [] }] });
    const rejected = await it.trace(badId);
    expect(rejected).toMatchObject({
      ...{ state: "rejected", received: [{ rejection: { stage: "fetch", path: "email" } }] },
    });

    const once = ["--once", "--results", "1", "--seed", "a-"];
    const run = await jsonOf<Run>("ingest", once, it.settings);
    expect(run.state).toBe("success");
    const onTopic = await it.trace(adaId.toUpperCase());
    expect(onTopic).toMatchObject({ id: adaId, state: "onTopic", table: null });
    expect(onTopic.received[0]?.records).toMatchObject([
      { consumed: false, traceId: waiting.received[0]?.traceId },
    ]);

    await runScript("consume", ["--drain"], it.settings);
    const inTable = await it.trace(adaId);
    expect(inTable).toMatchObject({ state: "inTable", received: [{ raw: 1, attempt: 1 }] });
    expect(inTable.table?.version).toBe(inTable.received[0]?.version ?? 0);
    expect(inTable.received[0]?.records[0]?.consumed).toBe(true);
    const dead = await it.trace(bigId);
    expect(dead.state).toBe("deadLetter");
    expect(dead.received[0]?.letter).toMatchObject({ state: "open", stage: "write", attempts: 1 });

    await keyspace.client.execute(`delete from ${it.table} where id = ${lostId}`);
    expect(await it.trace(lostId, 1)).toMatchObject({ state: "missing", table: null });
    const text = await runScript("trace", [lostId], it.settings);
    expect(text.exitCode).toBe(1);
    expect(text.stdout).toStartWith(`user ${lostId}: MISSING`);

    const nobody = crypto.randomUUID();
    const { exitCode, stdout, stderr } = await runScript("trace", [nobody], it.settings);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(`nothing is known of a user ${nobody}`);
  });

  test("tells a user apart that another producer has sent", async () => {
    await using it = await openStations();
    await runScript("migrate", [], it.settings);
    const [row] = rows(1);
    if (!row) throw new Error("no row");
    const { headers: _, ...event } = encode(row, { run: 1, raw: 1 });
    const options = { topic: it.topic.name, log, signal: never };
    {
      await using sender = await openSender(it.topic, options);
      await sender.send([{ ...event, headers: [] }]);
    }
    expect(await it.trace(row.user.id)).toMatchObject({
      ...{ state: "foreign", received: [], table: null },
      others: [{ consumed: false, traceId: null }],
    });
    await runScript("consume", ["--drain"], it.settings);
    const written = await it.trace(row.user.id);
    expect(written).toMatchObject({ state: "foreign", others: [{ consumed: true }] });
    expect(written.table?.version).toBeGreaterThan(0);
  });

  test("takes the id of one user, and nothing else", async () => {
    for (const args of [[], ["42"], [crypto.randomUUID(), crypto.randomUUID()]]) {
      const { exitCode, stdout, stderr } = await runScript("trace", args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toContain("expected the id of one user");
    }
  });
});
