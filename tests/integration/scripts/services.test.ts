import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { openProxy, refusedPort } from "../../proxy.ts";
import { type RunningScript, runScript, type Settings, startScript } from "../../scripts.ts";
import { openKeyspace, openPipeline, type TestKeyspace } from "../../stations.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

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
  const settings: Settings = {
    ...pipeline.settings,
    SOURCE_URL: api.url,
    // A minute that is hours away from any test.
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
  };
  const rows = async () => {
    const found = await keyspace.client.execute(`select count(*) from ${pipeline.table}`);
    return Number(found.first().get(0));
  };
  return { ...pipeline, settings, rows };
}

/** Where the service says it listens; "starting" is said before, with the checks alone. */
async function urlOf(script: RunningScript, said = "listening"): Promise<string> {
  const line = new RegExp(`"url":"([^"]+)","msg":"${said}"`);
  await script.says(line);
  return line.exec(script.stderr)?.[1] ?? "";
}

/** What the service says it waits for. */
async function waitedFor(url: string): Promise<readonly string[]> {
  const answer = (await (await fetch(`${url}readyz`)).json()) as Partial<typeof notReady>;
  return answer.waitingFor?.map(({ what }) => what) ?? [];
}
const notReady = { waitingFor: [{ what: "" }] };

const json = { "content-type": "application/json" };

describe("the services", () => {
  test("bring a run asked for by HTTP into the table within two seconds, and end with 0", async () => {
    await using it = await openStations();
    await using ingest = startScript("ingest", [], it.settings);
    await using consume = startScript("consume", [], it.settings);
    const [url, consumer] = await Promise.all([urlOf(ingest), urlOf(consume)]);
    await consume.says('"assigned"');

    // The first run pays for what is opened once.
    const ask = (results: number) =>
      fetch(`${url}api/runs`, { method: "POST", headers: json, body: JSON.stringify({ results }) });
    expect((await ask(1)).status).toBe(202);
    await until(async () => (await it.rows()) === 1);

    const asked = performance.now();
    const answer = await ask(10);
    expect(answer.status).toBe(202);
    await until(async () => (await it.rows()) === 11);
    expect(performance.now() - asked).toBeLessThan(2000);

    const { id } = (await answer.json()) as Run;
    const run = (await (await fetch(`${url}api/runs/${id}`)).json()) as Run;
    expect(run).toMatchObject({ state: "success", fetched: 10, accepted: 10, published: 10 });
    const { runs } = (await (await fetch(`${url}api/runs`)).json()) as { runs: Run[] };
    expect(runs.map((each) => each.id)).toEqual([2, 1]);

    for (const base of [url, consumer]) {
      expect((await fetch(`${base}healthz`)).status).toBe(200);
      expect((await fetch(`${base}readyz`)).status).toBe(200);
      expect((await fetch(`${base}nothing`)).status).toBe(404);
    }

    const ends = await Promise.all([ingest.end("SIGTERM"), consume.end("SIGTERM")]);
    expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(ends.map(({ stdout }) => stdout)).toEqual(["", ""]);
  });

  test("make runs by the schedule, each logical time once although two of them run", async () => {
    await using it = await openStations();
    const settings = { ...it.settings, SCHEDULE: "*/2 * * * * *", RESULTS: "3" };
    await using first = startScript("ingest", [], settings);
    await using second = startScript("ingest", [], settings);
    const times = async () => {
      const found = await it.database.sql<{ at: number; seed: string }[]>`
        select extract(epoch from logical_time)::bigint as at, seed from runs
        where trigger = 'schedule' and state = 'success' order by logical_time`;
      return [...found];
    };
    await first.says("listening");
    await until(async () => (await times()).length >= 3);
    const ends = await Promise.all([first.end("SIGTERM"), second.end("SIGINT")]);
    expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const made = await times();
    expect(made.every(({ at }) => at % 2 === 0)).toBe(true);
    expect(new Set(made.map(({ at }) => at)).size).toBe(made.length);
    expect(made.every(({ seed }) => /^at-\d{8}T\d{6}Z$/.test(seed))).toBe(true);
  });

  test("ask for the token, and show it nowhere", async () => {
    await using it = await openStations();
    const token = "correct-horse-battery-staple";
    const settings = { ...it.settings, HOST: "0.0.0.0", API_TOKEN: token, LOG_LEVEL: "debug" };
    await using ingest = startScript("ingest", [], settings);
    const url = (await urlOf(ingest)).replace("0.0.0.0", "127.0.0.1");
    const refused = await fetch(`${url}api/runs`);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${url}api/runs`, { headers })).status).toBe(200);
    expect((await fetch(`${url}healthz`)).status).toBe(200);
    const large = { method: "POST", headers: { ...headers, ...json }, body: " ".repeat(70_000) };
    expect((await fetch(`${url}api/runs`, large)).status).toBe(413);
    const { exitCode, stderr } = await ingest.end("SIGTERM");
    expect(exitCode).toBe(0);
    expect(stderr).not.toContain(token);
  });

  test("that are stopped before anything is there end at once, services with 0", async () => {
    const nowhere = `127.0.0.1:${await refusedPort()}`;
    const settings = {
      ...{ KAFKA_BROKERS: nowhere, CASSANDRA_CONTACT_POINTS: nowhere },
      DATABASE_URL: `postgres://postgres@${nowhere}/postgres`,
      ...{ PORT: "0", CONSUMER_PORT: "0" },
    };
    const endOf = async (name: string) => {
      await using script = startScript(name, [], settings);
      await script.says('"waiting"');
      const { exitCode, stderr } = await script.end("SIGTERM");
      expect(stderr).not.toContain("a bug");
      return { name, exitCode };
    };
    const ends = await Promise.all(["ingest", "consume", "migrate", "verify"].map(endOf));
    // What was to be done once is not done.
    expect(ends).toEqual([
      { name: "ingest", exitCode: 0 },
      { name: "consume", exitCode: 0 },
      { name: "migrate", exitCode: 1 },
      { name: "verify", exitCode: 1 },
    ]);
  });
});

describe("servers that come later", () => {
  test("are waited for with one line each, and then the work goes on", async () => {
    await using it = await openStations();
    const kafka = await openProxy(it.topic.brokers[0] ?? "");
    const store = await openProxy(keyspace.config().contactPoints[0] ?? "");
    const url = new URL(it.database.config.url);
    const postgres = await openProxy(url.host);
    url.host = postgres.address;
    const settings = {
      ...it.settings,
      ...{ KAFKA_BROKERS: kafka.address, CASSANDRA_CONTACT_POINTS: store.address },
      DATABASE_URL: url.href,
    };
    await using ingest = startScript("ingest", ["--once", "--results", "5"], settings);
    await using consume = startScript("consume", [], settings);
    await Promise.all([ingest.says('"waiting"'), consume.says('"waiting"')]);
    const checks = await urlOf(consume, "starting");
    expect(await waitedFor(checks)).toContain(`the store at ${store.address}`);
    await Promise.all([kafka, store, postgres].map((proxy) => proxy.open()));
    expect((await ingest.end()).exitCode).toBe(0);
    await until(async () => (await it.rows().catch(() => 0)) === 5);
    await until(async () => (await waitedFor(checks)).length === 0);
    const { exitCode } = await consume.end("SIGTERM");
    expect(exitCode).toBe(0);
    const waits = (script: RunningScript) =>
      script.stderr.split("\n").filter((line) => line.includes('"waiting"'));
    for (const script of [ingest, consume]) {
      const names = waits(script).map((line) => String(JSON.parse(line).what));
      expect(new Set(names).size).toBe(names.length);
    }
    for (const proxy of [kafka, store, postgres]) await proxy[Symbol.asyncDispose]();
  });
});

describe("a port in use", () => {
  test("ends a service with one clear line", async () => {
    await using it = await openStations();
    await using blocker = await openProxy("127.0.0.1:9").then(async (proxy) => {
      await proxy.open();
      return proxy;
    });
    const port = blocker.address.split(":")[1] ?? "";
    for (const [name, setting] of [
      ["ingest", "PORT"],
      ["consume", "CONSUMER_PORT"],
    ] as const) {
      const settings = { ...it.settings, [setting]: port, LOG_LEVEL: "silent" };
      const { exitCode, stderr } = await runScript(name, [], settings);
      expect(stderr).toBe(
        `${name}: 127.0.0.1:${port}: port ${port} is in use; ${setting}=… chooses another\n`,
      );
      expect(exitCode).toBe(1);
    }
  });
});
