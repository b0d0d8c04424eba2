import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import type { History } from "../../../lib/domain/history.ts";
import type { LetterInfo } from "../../../lib/domain/letter-filter.ts";
import type { Pipeline } from "../../../lib/domain/pipeline.ts";
import type { LatestUser } from "../../../lib/flow/latest-users.ts";
import { startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { openProducer } from "../../kafka-clients.ts";
import { type FaultProxy, openProxy } from "../../proxy.ts";
import { type RunningScript, type Settings, startScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestPipeline } from "../../stations.ts";
import { until } from "../../until.ts";

/* What the service shows of all stations, while they work and while they do not. */

setDefaultTimeout(240_000);

const opened = new AsyncDisposableStack();
let pipeline: TestPipeline;
let settings: Settings;
let links: Readonly<Record<"api" | "postgres" | "store", FaultProxy>>;
let consumer: RunningScript;
let service: { readonly script: RunningScript; readonly url: string };

beforeAll(async () => {
  const api = opened.use(startFakeApi());
  const keyspace = opened.use(await openKeyspace());
  pipeline = opened.use(await openPipeline(keyspace));
  const database = new URL(pipeline.database.config.url);
  links = {
    api: opened.use(await openProxy(new URL(api.url).host, { fault: {} })),
    postgres: opened.use(await openProxy(database.host, { fault: {} })),
    store: opened.use(await openProxy(keyspace.config().contactPoints[0] ?? "", { fault: {} })),
  };
  database.host = links.postgres.address;
  settings = {
    ...pipeline.settings,
    DATABASE_URL: database.href,
    CASSANDRA_CONTACT_POINTS: links.store.address,
    SOURCE_URL: `http://${links.api.address}/api/1.4/`,
    RATE_LIMIT: "0",
    RETRIES: "0",
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
  };
  service = await startService();
  consumer = opened.use(startScript("consume", [], settings));
  await consumer.says('"msg":"listening"');
});
afterAll(() => opened.disposeAsync());

async function startService() {
  const script = opened.use(startScript("ingest", [], settings));
  await script.says('"msg":"listening"');
  const url = /"url":"([^"]+)\/","msg":"listening"/.exec(script.stderr)?.[1] ?? "";
  return { script, url };
}

async function get<T>(path: string): Promise<T> {
  const answer = await fetch(`${service.url}${path}`);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function post<T>(path: string, body: object): Promise<T> {
  const answer = await fetch(`${service.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** Waits until the stations stand so, and resolves to how they stand. */
async function standing(what: string, is: (now: Pipeline) => boolean): Promise<Pipeline> {
  let now = await get<Pipeline>("/api/pipeline");
  const looked = async () => {
    now = await get<Pipeline>("/api/pipeline");
    return is(now);
  };
  await until(looked, { what, everyMs: 200 });
  return now;
}

const run = (results: number) => post<{ id: number }>("/api/runs", { results });
const latest = async () => (await get<{ users: LatestUser[] }>("/api/users/latest")).users;
const letters = () => get<{ letters: LetterInfo[]; total: number }>("/api/letters");

test("a run is seen at every station, with its users in the table and what the consumer says", async () => {
  const { id } = await run(20);
  const now = await standing("all rows", ({ consumers, table }) => {
    return consumers?.[0]?.rows === 20 && table?.consumed === 20;
  });
  expect(now).toMatchObject({
    stations: { source: { up: true }, raw: { up: true }, topic: { up: true }, table: { up: true } },
    ...{ stuck: null, raw: { rows: 20, pending: 0 }, topic: { records: 20 } },
    table: { consumed: 20, lag: 0 },
    consumers: [{ rows: 20, deadLetters: 0, waiting: null }],
  });
  expect(now.table?.newestRowAgeSeconds).toBeWithin(0, 120);
  const [said] = now.consumers ?? [];
  expect(said?.endToEndMs?.p99).toBeGreaterThanOrEqual(said?.endToEndMs?.p50 ?? Infinity);
  const users = await latest();
  expect(users).toHaveLength(20);
  expect(users.every((each) => each.run === id)).toBe(true);
});

test("a dead letter is shown with its reason, replayed, and purged", async () => {
  await using producer = await openProducer(pipeline.topic.brokers.join(","));
  const { name } = pipeline.topic;
  await producer.send(name, [{ value: Buffer.from('{"id":1}'), key: "x" }]);
  await until(async () => (await letters()).total === 1, { everyMs: 500 });
  const [letter] = (await letters()).letters;
  expect(letter).toMatchObject({ where: "topic", state: "open", stage: "decode", attempts: 1 });
  const id = letter?.id ?? "";
  expect(await get<object>(`/api/letters/${id}`)).toMatchObject({
    ...{ path: letter?.path, value: { as: "json", value: { id: 1 } } },
  });
  const all = { ids: [id] };
  expect(await post<object>("/api/letters/replay", { ...all, dryRun: true })).toEqual({
    ...{ letters: 1, replayed: 1, refused: 0, kept: 0, dryRun: true },
  });
  expect(await post<object>("/api/letters/replay", all)).toMatchObject({ replayed: 1 });
  // It is what it was, and so it comes back.
  await until(async () => (await letters()).letters[0]?.attempts === 2, { everyMs: 500 });
  expect(await post<object>("/api/letters/purge", all)).toMatchObject({ purged: 1 });
  expect((await letters()).total).toBe(0);
});

test("a store that is down is where it is stuck, and why; the newest users are not told then", async () => {
  await links.store.set({ broken: "refused" });
  const { id } = await run(10);
  const now = await standing("stuck at the table", ({ stuck }) => stuck !== null);
  expect(now.stuck).toMatchObject({
    station: "table",
    why: expect.stringMatching(/^waiting for the table: store, /),
  });
  expect(now).toMatchObject({ table: { lag: 10 }, stations: { table: { up: false } } });
  expect((await fetch(`${service.url}/api/users/latest`)).status).toBe(503);
  await links.store.open();
  await standing("nothing stuck", ({ stuck, table }) => stuck === null && table?.lag === 0);
  expect((await latest())[0]?.run).toBe(id);
  const { stations } = await get<Pipeline>("/api/pipeline");
  expect(stations.table.lastError).not.toBeNull();
});

test("an API that fails is where it is stuck", async () => {
  await links.api.set({ broken: "refused" });
  await run(5);
  const now = await standing("the source down", ({ stations }) => stations.source.up === false);
  expect(now.stuck?.station).toBe("source");
  expect(now.stuck?.why).toBe(now.stations.source.lastError?.message ?? "");
  await links.api.open();
  await run(5);
  await standing("the source up", ({ stations }) => stations.source.up === true);
});

test("PostgreSQL that is down is said, with what Kafka tells all the same", async () => {
  await links.postgres.set({ broken: "refused" });
  const now = await standing("no raw rows", ({ raw }) => raw === null);
  expect(now).toMatchObject({ runs: null, stations: { raw: { up: false }, topic: { up: true } } });
  expect(now.stuck).toMatchObject({ station: "raw", why: expect.stringContaining("PostgreSQL") });
  await links.postgres.open();
  await standing("raw rows", ({ raw }) => raw !== null);
});

test("what a consumer that is gone leaves lying is stuck", async () => {
  await consumer.end("SIGKILL");
  await run(7);
  const now = await standing("stuck for want of a consumer", ({ stuck, consumers }) => {
    return stuck !== null && consumers?.length === 0;
  });
  expect(now).toMatchObject({
    stuck: { station: "table", why: expect.stringContaining("bun run consume") },
    table: { lag: 7 },
  });
  expect(now.table?.newestRowAt).not.toBeNull();
});

test("the history is that of before, after a restart", async () => {
  const from = new Date(Date.now() - 600_000).toISOString();
  const read = () => get<History>(`/api/history?from=${from}&step=600`);
  const most = (values: readonly (number | null)[]) => Math.max(0, ...values.map((n) => n ?? 0));
  expect(most((await read()).lag)).toBe(10);
  await service.script.end("SIGKILL");
  service = await startService();
  const { rowsPerSecond, lag, endToEndMs } = await read();
  expect(most(lag)).toBe(10);
  for (const rates of Object.values(rowsPerSecond)) expect(most(rates)).toBeGreaterThan(0);
  expect(most(endToEndMs.p99)).toBeGreaterThan(0);
});
