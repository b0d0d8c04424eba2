import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseFaults } from "../../../lib/local/fake-api/faults.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { dashboardQueries, unknownIn } from "../../grafana.ts";
import { openProducer } from "../../kafka-clients.ts";
import { openKafkaProxy } from "../../kafka-proxy.ts";
import { type Metric, readMetrics, sampleValue } from "../../metrics.ts";
import { startPrometheus } from "../../prometheus.ts";
import { type FaultProxy, openProxy } from "../../proxy.ts";
import { type RunningScript, startScript } from "../../scripts.ts";
import {
  openKeyspace,
  openPipeline,
  type TestKeyspace,
  type TestPipeline,
} from "../../stations.ts";
import { until } from "../../until.ts";

/* Both processes as they run, from before their servers are there to after they are gone. */

setDefaultTimeout(240_000);

const token = `'"#:{&*!|>%@\`-[]`;
const headers = { authorization: `Bearer ${token}` };
const opened = new AsyncDisposableStack();
let api: FakeApiServer;
let keyspace: TestKeyspace;
let pipeline: TestPipeline;
let links: Readonly<Record<"postgres" | "kafka" | "store", FaultProxy>>;
let broker: AsyncDisposable;
let scripts: Readonly<Record<"ingest" | "consume", RunningScript>>;
let urls: Readonly<Record<"ingest" | "consume", string>>;

beforeAll(async () => {
  // The first answer is none; of the users of the others some are no users.
  api = opened.use(startFakeApi({ faults: parseFaults("500:1,invalid=0.2") }));
  keyspace = opened.use(await openKeyspace());
  pipeline = opened.use(await openPipeline(keyspace));
  const database = new URL(pipeline.database.config.url);
  // Clients are told of this broker alone.
  const kafka = opened.use(await openKafkaProxy(pipeline.topic.brokers[0] ?? ""));
  broker = kafka;
  links = {
    postgres: opened.use(await openProxy(database.host)),
    kafka: opened.use(await openProxy(kafka.address)),
    store: opened.use(await openProxy(keyspace.config().contactPoints[0] ?? "")),
  };
  database.host = links.postgres.address;
  const settings = {
    ...pipeline.settings,
    DATABASE_URL: database.href,
    KAFKA_BROKERS: links.kafka.address,
    CASSANDRA_CONTACT_POINTS: links.store.address,
    SOURCE_URL: api.url,
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
    API_TOKEN: token,
  };
  scripts = {
    ingest: opened.use(startScript("ingest", [], settings)),
    consume: opened.use(startScript("consume", [], settings)),
  };
  const urlOf = async (script: RunningScript) => {
    await script.says('"msg":"starting"');
    return /"url":"([^"]+)","msg":"starting"/.exec(script.stderr)?.[1] ?? "";
  };
  urls = { ingest: await urlOf(scripts.ingest), consume: await urlOf(scripts.consume) };
});
afterAll(() => opened.disposeAsync());

async function scrape(name: "ingest" | "consume"): Promise<readonly Metric[]> {
  const answer = await fetch(`${urls[name]}metrics`, { headers });
  expect(answer.status).toBe(200);
  return readMetrics(await answer.text());
}

/** Waits until a figure is as wanted: there, unless something is said of it. */
async function told(
  of: "ingest" | "consume",
  name: string,
  labels: Readonly<Record<string, string>> = {},
  wanted: (value: number) => boolean = () => true,
): Promise<number> {
  let value: number | undefined;
  const there = async () => {
    value = sampleValue(await scrape(of), name, labels);
    return value !== undefined && wanted(value);
  };
  await until(there, { what: `${name} ${JSON.stringify(labels)} of ${of}`, everyMs: 200 });
  return value ?? 0;
}

const both = ["ingest", "consume"] as const;

test("both answer from the first moment on, while nothing is there, to those who have the token", async () => {
  for (const name of both) {
    await scripts[name].says('"waiting"');
    await told(name, "pipeline_waiting_seconds", {}, (seconds) => seconds > 0);
    await told(name, "pipeline_retries_total", {}, (retries) => retries > 0);
    expect(
      sampleValue(await scrape(name), "pipeline_station_up", { station: "topic" }),
    ).toBeUndefined();
    expect((await fetch(`${urls[name]}metrics`)).status).toBe(401);
    const answer = await fetch(`${urls[name]}metrics`, { headers });
    expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  }
});

test("both tell what a run has done, and what became of its users", async () => {
  for (const link of Object.values(links)) await link.open();
  for (const name of both) await scripts[name].says('"msg":"listening"');
  const body = JSON.stringify({ results: 200 });
  const asked = {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
  };
  expect((await fetch(`${urls.ingest}api/runs`, asked)).status).toBe(202);
  await told("ingest", "pipeline_runs", { state: "success" }, (runs) => runs === 1);

  const accepted = await told(
    "ingest",
    "pipeline_users_accepted_total",
    {},
    (users) => users > 100,
  );
  const is = (wanted: number) => (value: number) => value === wanted;
  await told("ingest", "pipeline_users_fetched_total", {}, is(200));
  await told("ingest", "pipeline_users_rejected_total", {}, is(200 - accepted));
  await told("ingest", "pipeline_attempts_total", { outcome: "failed" }, is(1));
  await told("ingest", "pipeline_attempts_total", { outcome: "success" }, is(1));
  await told("ingest", "pipeline_source_requests_total", { status: "500" }, is(1));
  await told("ingest", "pipeline_source_requests_total", { status: "200" }, is(1));
  await told("ingest", "pipeline_records_published_total", {}, is(accepted));
  await told("consume", "pipeline_rows_written_total", {}, is(accepted));
  await told("consume", "pipeline_end_to_end_latency_seconds_count", {}, is(accepted));

  await using producer = await openProducer(pipeline.topic.brokers.join(","));
  await producer.send(pipeline.topic.name, [{ value: Buffer.from("not json"), key: "x" }]);
  await told("consume", "pipeline_dead_letters_total", {}, is(1));
  await told("consume", "pipeline_records_read_total", {}, is(accepted + 1));
  await told("ingest", "pipeline_dead_letter_topic_records", {}, is(1));
  await told("ingest", "pipeline_outbox_rows", {}, is(0));
  for (const partition of ["0", "1"]) {
    await told("ingest", "pipeline_group_lag_records", { partition }, is(0));
    await told("consume", "pipeline_consumer_lag_records", { partition }, is(0));
  }
  await told("ingest", "pipeline_freshness_seconds");
  await told("ingest", "pipeline_consumers", {}, is(1));
  for (const station of ["source", "raw", "topic", "table"]) {
    await told("ingest", "pipeline_station_up", { station }, is(1));
  }
  for (const station of ["topic", "table"]) {
    await told("consume", "pipeline_station_up", { station }, is(1));
  }
});

test("every query of the dashboard names metrics and labels that they give", async () => {
  const scraped = { ingest: await scrape("ingest"), consume: await scrape("consume") };
  const faults = (await dashboardQueries()).flatMap((query) =>
    unknownIn(query, scraped).map((fault) => `${query.title}: ${fault}`),
  );
  expect(faults).toEqual([]);
});

const promtool = Bun.which("promtool");
const prometheus = Bun.which("prometheus");
const installed = promtool !== null && prometheus !== null;
if (!installed)
  console.warn("not tried with Prometheus itself: Debian's package prometheus has it");

describe.skipIf(!installed)("Prometheus itself", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "users-pipeline-prometheus-"));
  });
  afterAll(() => rm(home, { recursive: true }));

  const check = async (args: readonly string[], input = "") => {
    const child = Bun.spawn([promtool ?? "", "check", ...args], {
      stdin: new Blob([input]),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [said, why] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { exitCode: await child.exited, said: said + why };
  };

  test("finds nothing to say against the metrics", async () => {
    for (const name of both) {
      const text = await (await fetch(`${urls[name]}metrics`, { headers })).text();
      expect(await check(["metrics"], text)).toEqual({ exitCode: 0, said: "" });
    }
  });

  test("scrapes both as compose.yaml sets it up, and answers every query of the dashboard", async () => {
    await using server = await startPrometheus({
      home,
      token,
      targets: { ingest: new URL(urls.ingest).host, consume: new URL(urls.consume).host },
    });
    await until(async () => (await server.query("sum(up)"))[0]?.value === 2, { everyMs: 200 });
    const lag = "sum(max by (partition) (pipeline_group_lag_records))";
    const queries = await dashboardQueries();
    expect(queries.map(({ expr }) => expr)).toContain(lag);
    expect(await server.query(lag)).toEqual([{ labels: {}, value: 0 }]);
    for (const { title, expr, legend } of queries) {
      const answered = async () => {
        const series = await server.query(expr);
        const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label);
        return series.length > 0 && series.every(({ labels }) => shown.every((it) => it in labels));
      };
      // Rates need two scrapes.
      await until(answered, { what: `${title}: an answer to ${expr}`, everyMs: 200 });
    }
  });
});

test("both go on answering when their servers are gone, and say so", async () => {
  const gone = (value: number) => value === 0;
  await links.postgres.set({ broken: "black hole" });
  await links.store.set({ broken: "refused" });
  await Promise.all([
    told("ingest", "pipeline_station_up", { station: "raw" }, gone),
    told("consume", "pipeline_station_up", { station: "table" }, gone),
  ]);
  // Of those that are there they tell as before; of the others nothing that was.
  const [ingest, consume] = [await scrape("ingest"), await scrape("consume")];
  expect(sampleValue(ingest, "pipeline_station_up", { station: "topic" })).toBe(1);
  expect(sampleValue(ingest, "pipeline_group_lag_records", { partition: "0" })).toBe(0);
  expect(sampleValue(ingest, "pipeline_outbox_rows")).toBeUndefined();
  expect(sampleValue(consume, "pipeline_station_up", { station: "topic" })).toBe(1);
  expect(sampleValue(consume, "pipeline_rows_written_total")).toBeGreaterThan(0);

  await broker[Symbol.asyncDispose]();
  const topicGone = (name: "ingest" | "consume") =>
    told(name, "pipeline_station_up", { station: "topic" }, gone);
  await Promise.all(both.map(topicGone));
  expect(
    sampleValue(await scrape("ingest"), "pipeline_group_lag_records", { partition: "0" }),
  ).toBeUndefined();
  for (const name of both) expect(scripts[name].stderr).not.toContain(token);
});
