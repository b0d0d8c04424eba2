import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { listenTo } from "../../event-stream.ts";
import { type Document, judgeOf, requestsTo, routesOf } from "../../openapi.ts";
import { type RunningScript, type Settings, startScript } from "../../scripts.ts";
import { openDatabase, openKeyspace, openTopics } from "../../stations.ts";
import { until } from "../../until.ts";

/* The service as it runs, with PostgreSQL, Kafka and the stand-in of the API. */

setDefaultTimeout(240_000);

const json = { "content-type": "application/json" };
let api: FakeApiServer;
let home: string;
beforeAll(async () => {
  api = startFakeApi();
  home = await mkdtemp(join(tmpdir(), "users-pipeline-curl-"));
  // Fails where the answer is none of success; what never ends is ended.
  await Bun.write(join(home, ".curlrc"), "fail-with-body\nsilent\nshow-error\nmax-time = 20\n");
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** A database and topics of its own, over which services are started. */
async function openNeighbours() {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await openDatabase());
  const { config } = opening.use(await openTopics({ partitions: 2 }));
  const { contactPoints, keyspace } = opening.use(await openKeyspace()).config();
  const settings: Settings = {
    DATABASE_URL: database.config.url,
    KAFKA_BROKERS: config.brokers.join(","),
    KAFKA_TOPIC: config.name,
    KAFKA_GROUP: config.group,
    KAFKA_PARTITIONS: "2",
    // There is no such keyspace, and so no users in it.
    CASSANDRA_CONTACT_POINTS: contactPoints.join(","),
    CASSANDRA_KEYSPACE: keyspace,
    PORT: "0",
    SOURCE_URL: api.url,
    RESULTS: "5",
    // Whatever is asked for, one page is fetched.
    RATE_LIMIT: "5000",
    SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
  };
  const owned = opening.move();
  return { settings, sql: database.sql, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startService(settings: Settings) {
  const script = startScript("ingest", [], settings);
  await script.says('"msg":"listening"');
  const url = /"url":"([^"]+)\/","msg":"listening"/.exec(script.stderr)?.[1] ?? "";
  return { script, url, [Symbol.asyncDispose]: () => script[Symbol.asyncDispose]() };
}

const ended = (url: string, run: number) =>
  until(async () => {
    const { state } = (await (await fetch(`${url}/api/runs/${run}`)).json()) as { state: string };
    return state === "success";
  });

/** A raw row as it is after a refusal. */
const rejected = ({ sql }: Awaited<ReturnType<typeof openNeighbours>>, raw: number) =>
  sql`
    insert into rejected_users (raw_id, stage, path, reason)
    values (${raw}, 'fetch', 'dob.date', 'dob.date: no date')`;

describe("the service", () => {
  test("answers each curl of README as the OpenAPI document says", async () => {
    await using neighbours = await openNeighbours();
    await using service = await startService(neighbours.settings);
    const readme = await Bun.file(new URL("../../../README.md", import.meta.url)).text();
    const [, section = ""] = /^## HTTP API\n(.*?)^## /ms.exec(readme) ?? [];
    const lines = [...section.matchAll(/^ {4}(curl .*)$/gm)].map(([, line = ""]) => line);
    const routes = routesOf(
      (await (await fetch(`${service.url}/openapi.json`)).json()) as Document,
    );
    const tried = new Set<string>();
    for (const line of lines) {
      const [, method = "GET", path = ""] =
        /^curl (?:-N )?(?:-X (\w+) )?'?localhost:8080([^ '?]*)/.exec(line) ?? [];
      if (path.endsWith("/retry")) await ended(service.url, 1);
      if (path.endsWith("/letters/raw/1")) await rejected(neighbours, 1);
      const answer = await curl(line.replace("localhost:8080", service.url));
      expect({ line, ...answer }).toMatchObject({ line, good: true });
      tried.add(`${method} ${path.replace(/(\/raw)?\/\d+(?=\/|$)/, "/{id}")}`);
    }
    expect([...tried].toSorted()).toEqual(
      routes.map(({ method, path }) => `${method} ${path}`).toSorted(),
    );
    expect((await service.script.end("SIGTERM")).exitCode).toBe(0);
  });

  test("answers nothing outside its document, whatever it is asked", async () => {
    await using neighbours = await openNeighbours();
    await using service = await startService(neighbours.settings);
    const document = (await (await fetch(`${service.url}/openapi.json`)).json()) as Document;
    const judge = judgeOf(document);
    for (const route of routesOf(document)) {
      await fc.assert(
        fc.asyncProperty(requestsTo(route, document), async ({ url, ...init }) => {
          expect(await judge(route, await fetch(`${service.url}${url}`, init))).toBe("");
        }),
        { numRuns: 15 },
      );
    }
    expect(service.script.stderr).not.toContain('"level":50');
  });
});

/** What a curl ends with; one that listens to events is ended when it has heard some. */
async function curl(line: string): Promise<{ good: boolean; code: number | null; said: string }> {
  const child = Bun.spawn(["bash", "-c", `exec ${line}`], {
    env: { PATH: Bun.env.PATH ?? "", HOME: home, CURL_HOME: home },
    stdout: "pipe",
    stderr: "pipe",
  });
  if (line.startsWith("curl -N")) {
    const events = listenTo(child.stdout);
    await until(() => events.told.length > 0 || events.ended);
    child.kill();
    await child.exited;
    return {
      good: events.told.length > 0,
      code: child.exitCode,
      said: JSON.stringify(events.told),
    };
  }
  const [said, why] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return {
    good: child.exitCode === 0 && said !== "",
    code: child.exitCode,
    said: said.slice(0, 500) + why,
  };
}

describe("events", () => {
  const listen = async ({ url }: { url: string }, lastId?: string) => {
    const headers: Record<string, string> = lastId === undefined ? {} : { "last-event-id": lastId };
    const answer = await fetch(`${url}/api/events`, { headers });
    if (!answer.body) throw new Error("no stream");
    return listenTo(answer.body);
  };
  const states = (told: readonly { event: string | undefined; data: unknown }[]) =>
    told.flatMap(({ event, data }) => {
      const { id, state } = data as { id: number; state: string };
      return event === "run" ? [`${id} ${state}`] : [];
    });
  const ask = ({ url }: { url: string }) =>
    fetch(`${url}/api/runs`, { method: "POST", headers: json, body: '{"results":5}' });

  test("are told by every instance, and gone on with at another one and after a restart", async () => {
    await using neighbours = await openNeighbours();
    await using one = await startService(neighbours.settings);
    const other = await startService(neighbours.settings);
    let lastId: string | undefined;
    {
      await using listener = await listen(one);
      await until(() => listener.lastId !== undefined);
      await ask(other);
      await until(() => states(listener.told).includes("1 success"));
      const lines = listener.told.filter(({ event }) => event === "log");
      expect(lines.map(({ data }) => data?.message)).toContain("run started");
      await listener.hears("pipeline");
      lastId = listener.lastId;
      // Goes away in the middle of it: the stream ends soon, and so does the service.
      expect((await other.script.end("SIGTERM")).exitCode).toBe(0);
    }
    await ask(one);
    await ended(one.url, 2);
    await one.script.end("SIGKILL");
    await using anew = await startService(neighbours.settings);
    await using listener = await listen(anew, lastId);
    await until(() => states(listener.told).includes("2 success"));
    expect(states(listener.told).filter((text) => text.startsWith("1"))).toEqual([]);
    expect(listener.told.map(({ event }) => event)).not.toContain("resync");
    await using stale = await listen(anew, "999999");
    await stale.hears("resync");
  });

  test("to two hundred streams keep nobody from ending, and cost little memory", async () => {
    await using neighbours = await openNeighbours();
    await using service = await startService(neighbours.settings);
    const listeners = await Promise.all(Array.from({ length: 200 }, () => listen(service)));
    for (const listener of listeners) await until(() => listener.lastId !== undefined);
    const before = await residentMb(service.script);
    await ask(service);
    for (const listener of listeners) {
      await until(() => states(listener.told).includes("1 success"));
    }
    expect((await residentMb(service.script)) - before).toBeLessThan(60);
    expect((await service.script.end("SIGTERM")).exitCode).toBe(0);
    for (const listener of listeners) await until(() => listener.ended);
  });
});

async function residentMb({ pid }: RunningScript): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}
