import { describe, expect, test } from "bun:test";
import { SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { encode } from "../../../lib/domain/event.ts";
import { ingestOnce } from "../../../lib/flow/ingest-once.ts";
import { performRun } from "../../../lib/flow/perform-runs.ts";
import type { OutboxRow, Publisher } from "../../../lib/flow/raw-to-topic.ts";
import { topicToSink } from "../../../lib/flow/topic-to-sink.ts";
import { tracedPublisher, tracedStations } from "../../../lib/flow/traced-records.ts";
import { type RunQueues, tracedSource, tracedStore } from "../../../lib/flow/traced-runs.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { createFakeDeadLetters } from "../../fakes/dead-letters.ts";
import { createFakeOutbox } from "../../fakes/outbox.ts";
import { createFakePublisher } from "../../fakes/publisher.ts";
import { createFakeTopic } from "../../fakes/record-source.ts";
import { createFakeRuns } from "../../fakes/runs.ts";
import { createFakeSink } from "../../fakes/sink.ts";
import { createFakeSource } from "../../fakes/source.ts";
import { parentOf, recordedSpans, traceparentOf } from "../../recorded-spans.ts";
import { never, record, rows } from "../../users.ts";

const request = { trigger: "manual", results: 2500, nat: [] } as const;
const policy = { retries: 0, delayMs: 0, exponential: false, maxDelayMs: 0, timeoutMs: 0 };
const recorded = (n: number) => ({
  traceparent: `00-${String(n).padStart(32, "a")}-00f067aa0ba902b7-01`,
  tracestate: null,
});

/** Queues that make nothing, and what they were asked to make. */
function queues(runs: RunQueues["runs"], moved = true) {
  const made: unknown[] = [];
  const store: RunQueues = {
    runs,
    schedule: {
      move: async (_, decision) => {
        made.push(decision.traces);
        return moved;
      },
    },
    backfills: {
      create: async ({ trace }) => {
        made.push(trace);
        return {} as Awaited<ReturnType<RunQueues["backfills"]["create"]>>;
      },
    },
  };
  return { store, made };
}

describe("a run", () => {
  test("is queued in a span that its attempt is part of, and its pages of that", async () => {
    const { tracing, one, named } = recordedSpans();
    const fake = createFakeRuns();
    const { runs } = tracedStore(queues(fake).store, tracing);
    const { id, traceId } = await runs.create({ ...request, trace: recorded(1) });
    expect(traceId).toBe(recorded(1).traceparent.slice(3, 35));
    const run = await runs.claim("me", id);
    if (!run) throw new Error("no run");
    const source = tracedSource(createFakeSource(), tracing);
    await performRun(run, runs, source, { policy, log, signal: never, tracing });
    expect(parentOf(one("queue run"))).toBe(recorded(1).traceparent);
    expect(parentOf(one("run"))).toBe(traceparentOf(one("queue run")));
    expect(one("run").attributes).toMatchObject({
      ...{ "pipeline.run.id": id, "pipeline.run.attempt": 1, "pipeline.run.outcome": "success" },
    });
    for (const name of ["fetch page", "commit page"]) {
      expect(named(name).map(parentOf)).toEqual(Array(3).fill(traceparentOf(one("run"))));
      expect(named(name).map(({ attributes }) => attributes["pipeline.page"])).toEqual([1, 2, 3]);
    }
  });

  test("that fails has an attempt that says why", async () => {
    const { tracing, one } = recordedSpans();
    const { runs } = tracedStore(queues(createFakeRuns()).store, tracing);
    const { id } = await runs.create(request);
    const run = await runs.claim("me", id);
    if (!run) throw new Error("no run");
    const source = tracedSource(
      { fetch: () => Promise.reject(new Error("a bug of its own")) },
      tracing,
    );
    await performRun(run, runs, source, { policy, log, signal: never, tracing }).catch(() => {});
    expect(one("run").status.code).toBe(SpanStatusCode.ERROR);
    expect(one("run").status.message).toContain("a bug of its own");
    expect(one("fetch page").status.code).toBe(SpanStatusCode.ERROR);
  });

  test("that is ingested at once is traced to the topic", async () => {
    const { tracing, one } = recordedSpans();
    const [outbox, publisher] = [createFakeOutbox(), createFakePublisher()];
    let raw = 0;
    const fake = createFakeRuns((run, { users }) => {
      const trace = { traceparent: traceparentOf(one("queue run")), tracestate: null };
      const added = users.map((user): OutboxRow => {
        raw += 1;
        const [key, value] = "id" in user ? [user.id, user.value ?? null] : [null, null];
        return { raw, run, version: raw, key, value, payload: null, trace };
      });
      outbox.add(...added);
    });
    const { runs } = tracedStore(queues(fake).store, tracing);
    const published = {
      ...runs,
      get: async (id: number) => {
        const run = await fake.get(id);
        return run && { ...run, published: publisher.published.length };
      },
    };
    const topic = tracedPublisher(publisher, tracing, { name: "users_created" });
    const stations = { source: createFakeSource(), runs: published, outbox, topic };
    const options = { worker: "me", policy, log, signal: never, tracing };
    await ingestOnce({ ...request, results: 3 }, stations, options);
    expect(parentOf(one("send users_created"))).toBe(traceparentOf(one("queue run")));
    expect(parentOf(one("run"))).toBe(traceparentOf(one("queue run")));
  });
});

describe("runs of the schedule", () => {
  const at = new Date("2026-01-31T12:00:00Z");
  const decision = { logicalTimes: [at, new Date(+at + 3_600_000)], skipped: null, watermark: at };
  const standing = {} as Parameters<RunQueues["schedule"]["move"]>[0];

  test("each begin a trace, in the order of their times", async () => {
    const { tracing, named } = recordedSpans();
    const { store, made } = queues(createFakeRuns());
    await tracedStore(store, tracing).schedule.move(standing, decision, request);
    const spans = named("queue run");
    expect(spans.map(({ attributes }) => attributes["pipeline.run.logical_time"])).toEqual([
      ...["2026-01-31T12:00:00.000Z", "2026-01-31T13:00:00.000Z"],
    ]);
    expect(made).toEqual([
      spans.map((span) => ({ traceparent: traceparentOf(span), tracestate: null })),
    ]);
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(2);
  });

  test("that another instance has made, or that are skipped, have no span here", async () => {
    const { tracing, names } = recordedSpans();
    const { store, made } = queues(createFakeRuns(), false);
    const { schedule } = tracedStore(store, tracing);
    await schedule.move(standing, decision, request);
    await schedule.move(standing, { ...decision, skipped: "too many" }, request);
    expect(names()).toEqual([]);
    expect(made[1]).toEqual([]);
  });
});

test("runs of a backfill belong to the span in which it was queued", async () => {
  const { tracing, one } = recordedSpans();
  const { store, made } = queues(createFakeRuns());
  const asked = { from: new Date(0), to: new Date(1), reprocess: "none", order: "oldest" } as const;
  const backfill = { ...asked, maxActiveRuns: 1, results: 1, nat: [], trace: recorded(1) };
  await tracedStore(store, tracing).backfills.create(backfill, []);
  expect(parentOf(one("queue backfill"))).toBe(recorded(1).traceparent);
  expect(made).toEqual([{ traceparent: traceparentOf(one("queue backfill")), tracestate: null }]);
});

const config = {
  topic: { name: "users_created", group: "sink", deadLetters: "users_created.dlq" },
  sink: { keyspace: "spark_streams", table: "created_users" },
};

/** Has records of these traces consumed as one batch: each is a row, but those that are `null`. */
async function consumed(traceparents: readonly (string | undefined)[], bad = 0) {
  const spans = recordedSpans();
  const topic = createFakeTopic();
  const [sink, letters] = [createFakeSink(), createFakeDeadLetters()];
  topic.add(
    ...rows(traceparents.length).map(({ user, version }, offset) => {
      const traceparent = traceparents[offset];
      const headers = { version: String(version), ...(traceparent ? { traceparent } : {}) };
      return record({ offset, value: user, headers });
    }),
    ...Array.from({ length: bad }, (_, at) => record({ offset: traceparents.length + at })),
  );
  const stations = { topic: topic.open({ drain: true }), sink, letters };
  const traced = tracedStations(stations, spans.tracing, config);
  const options = { log, signal: never, now: () => new Date() };
  await topicToSink(traced.topic, traced.sink, traced.letters, options);
  expect(sink.rows.size).toBe(traceparents.length);
  return spans;
}

const links = (span: ReadableSpan) =>
  span.links.map(({ context, attributes }) => [
    context.traceId,
    attributes?.["messaging.batch.message_count"],
  ]);

describe("a batch of records", () => {
  const [one, two] = [recorded(1).traceparent, recorded(2).traceparent];

  test("of one run is part of its trace, and so is its write", async () => {
    const spans = await consumed([one, one, one]);
    const batch = spans.one("process users_created");
    expect(parentOf(batch)).toBe(one);
    expect(links(batch)).toEqual([[one.slice(3, 35), 3]]);
    expect(batch.attributes).toMatchObject({
      "messaging.batch.message_count": 3,
      "messaging.consumer.group.name": "sink",
    });
    expect(parentOf(spans.one("insert created_users"))).toBe(traceparentOf(batch));
  });

  test("of several runs begins a trace, linked to each of them once", async () => {
    const batch = (await consumed([one, two, one, undefined])).one("process users_created");
    expect(parentOf(batch)).toBeUndefined();
    expect(links(batch)).toEqual([
      [one.slice(3, 35), 2],
      [two.slice(3, 35), 1],
    ]);
  });

  test("of a run that is not recorded is recorded all the same, in a trace of its own", async () => {
    const quiet = one.replace(/01$/, "00");
    const batch = (await consumed([quiet])).one("process users_created");
    expect(parentOf(batch)).toBeUndefined();
    expect(links(batch)).toEqual([[one.slice(3, 35), 1]]);
  });

  test("with headers that name no trace is linked to none", async () => {
    const batch = (await consumed(["00-0-0-00", "é".repeat(99)])).one("process users_created");
    expect(links(batch)).toEqual([]);
  });

  test("of very many runs has so many links and no more", async () => {
    const many = Array.from({ length: 200 }, (_, n) => recorded(n + 1).traceparent);
    expect(links((await consumed(many)).one("process users_created"))).toHaveLength(128);
  });

  test("with dead letters has a span for them in it", async () => {
    const spans = await consumed([one], 2);
    const put = spans.one("send users_created.dlq");
    expect(put.attributes["messaging.batch.message_count"]).toBe(2);
    expect(parentOf(put)).toBe(traceparentOf(spans.one("process users_created")));
  });

  test("that is sent is linked to its runs, and says what was refused", async () => {
    const spans = recordedSpans();
    const refused = [{ index: 1, rejection: { path: "", reason: "too large" } }];
    const refusing: Publisher = { publish: async () => refused };
    const topic = tracedPublisher(refusing, spans.tracing, config.topic);
    const events = rows(3).map((row, n) => encode(row, { run: n, raw: n, trace: recorded(n % 2) }));
    expect(await topic.publish(events)).toBe(refused);
    const sent = spans.one("send users_created");
    expect(links(sent).map(([, count]) => count)).toEqual([2, 1]);
    expect(sent.attributes).toMatchObject({ "pipeline.refused": 1 });
  });
});

test("without tracing everything is as it was", () => {
  const { store } = queues(createFakeRuns());
  const [source, topic] = [createFakeSource(), createFakePublisher()];
  expect(tracedStore(store, undefined)).toBe(store);
  expect(tracedSource(source, undefined)).toBe(source);
  expect(tracedPublisher(topic, undefined, config.topic)).toBe(topic);
  const sink = createFakeSink();
  const stations = { topic: createFakeTopic().open(), sink, letters: createFakeDeadLetters() };
  expect(tracedStations(stations, undefined, config)).toEqual(stations);
});
