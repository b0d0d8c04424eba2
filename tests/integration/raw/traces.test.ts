import { expect, setDefaultTimeout, test } from "bun:test";
import type { BackfillRequest } from "../../../lib/domain/backfill.ts";
import {
  parseTraceContext,
  type TraceContext,
  traceIdOf,
} from "../../../lib/domain/trace-context.ts";
import type { OutboxRow } from "../../../lib/flow/raw-to-topic.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { accepted, claimed, manual, type OpenStore, rawStores } from "../../raw-store.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();
const given: TraceContext = {
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  tracestate: "a=1,b=2",
};
const traceId = traceIdOf(given);
const hour = (n: number) => new Date(Date.UTC(2026, 0, 1, n));

const contexts = async ({ sql }: OpenStore): Promise<TraceContext[]> => [
  ...(await sql<TraceContext[]>`select traceparent, tracestate from runs order by id`),
];

test("a run keeps the trace of what asked for it, over attempts, a new start and a restart", async () => {
  await using it = await openStore();
  const { id } = await it.runs.create({ ...manual, trace: given });
  const first = await it.runs.claim("me", id);
  if (!first) throw new Error("no run");
  expect(first.trace).toEqual(given);
  await it.runs.finish(first, { outcome: "failed", errorChain: ["down"] });
  expect(await it.runs.retry(id, { fromStart: true })).toMatchObject({ traceId });
  await using other = await openRawStore(it.config, { log, signal: never });
  expect((await other.runs.claim("other", id))?.trace).toEqual(given);
});

test("a run that nothing of a trace asks for begins one, which is not recorded", async () => {
  await using it = await openStore();
  const made = [await it.runs.create(manual), await it.runs.create(manual)];
  const own = await contexts(it);
  expect(own.map((context) => parseTraceContext({ traceparent: context.traceparent }))).toEqual(
    own,
  );
  expect(own.map(({ traceparent }) => traceparent.slice(-3))).toEqual(["-00", "-00"]);
  expect(own.map(traceIdOf)).toEqual(made.map((run) => run.traceId));
  expect(new Set(made.map((run) => run.traceId)).size).toBe(2);
});

test("asked for again with another trace, a run keeps the first one", async () => {
  await using it = await openStore();
  const requestId = crypto.randomUUID();
  await it.runs.create({ ...manual, requestId, trace: given });
  expect(await it.runs.create({ ...manual, requestId })).toMatchObject({ traceId });
});

test("runs of a backfill share the trace of what asked for it, or one of their own", async () => {
  await using it = await openStore();
  const runs = [1, 2].map((n) => ({ logicalTime: hour(n).toISOString(), id: null, state: null }));
  const later = [3, 4].map((n) => ({ logicalTime: hour(n).toISOString(), id: null, state: null }));
  const request: BackfillRequest = {
    ...{ from: hour(0), to: hour(24), reprocess: "none", order: "oldest", maxActiveRuns: 1 },
    ...{ results: 1, nat: [] },
  };
  await it.backfills.create({ ...request, trace: given }, runs);
  await it.backfills.create(request, later);
  const [first, second, third, fourth] = await contexts(it);
  expect([first, second]).toEqual([given, given]);
  expect(third).toEqual(fourth as TraceContext);
  expect(third?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
});

test("runs of the schedule have the traces decided on, in order, or each its own", async () => {
  await using it = await openStore();
  const traces = [
    given,
    { traceparent: given.traceparent.replace("b7-01", "b8-01"), tracestate: null },
  ];
  for (const [first, more] of [
    [1, { traces }],
    [3, {}],
  ] as const) {
    const logicalTimes = [hour(first), hour(first + 1)];
    const decision = { logicalTimes, skipped: null, watermark: new Date(), ...more };
    expect(await it.schedule.move(await it.schedule.standing(), decision, manual)).toBe(true);
  }
  const all = await contexts(it);
  expect(all.slice(0, 2)).toEqual(traces);
  expect(new Set(all.map(traceIdOf)).size).toBe(3);
});

test("a row on its way to the topic has all that its run was given", async () => {
  await using it = await openStore();
  const { id } = await it.runs.create({ ...manual, trace: given });
  const run = await it.runs.claim("me", id);
  if (!run) throw new Error("no run");
  await it.runs.commitPage(run, accepted([1]));
  await it.runs.commitPage(await claimed(it), accepted([2]));
  const rows: OutboxRow[] = [];
  await it.outbox.take(10, async (taken) => {
    rows.push(...taken);
    return [];
  });
  expect(rows[0]?.trace).toEqual(given);
  expect(rows[1]?.trace).not.toEqual(given);
});
