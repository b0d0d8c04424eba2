import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readConfig } from "../../lib/config.ts";
import { encode } from "../../lib/domain/event.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { openConsumer } from "../../lib/topic/consumer.ts";
import { openProducer } from "../../lib/topic/producer.ts";
import { openReader } from "../../lib/topic/reader.ts";
import { failureOf } from "../failure.ts";
import { createLogLines } from "../log-lines.ts";
import { type OwnServers, openOwnServers } from "../own-servers.ts";
import { sizeOfProcess } from "../process-size.ts";
import { startScript } from "../scripts.ts";
import { openDatabase, uniqueIdentifier } from "../stations.ts";
import { until } from "../until.ts";
import { never, rows } from "../users.ts";

setDefaultTimeout(300_000);

let servers: OwnServers;
beforeAll(async () => {
  servers = await openOwnServers({ only: ["kafka"] });
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const settings = () => ({
  KAFKA_BROKERS: servers.linked.KAFKA_BROKERS ?? "",
  KAFKA_TOPIC: uniqueIdentifier(),
  KAFKA_GROUP: uniqueIdentifier(),
  KAFKA_PARTITIONS: "2",
});
const events = (count: number) => rows(count).map((row, raw) => encode(row, { run: 1, raw }));
const away = () => `Kafka at ${servers.links.kafka.address}`;
/** How long the broker is away. */
const outageMs = 10_000;

describe("a broker that is stopped and comes back", () => {
  test("is waited for by consumer and producer, which go on by themselves in bounded memory", async () => {
    const { topic: config } = readConfig(settings());
    const [reading, writing] = [createLogLines(), createLogLines()];
    const stop = new AbortController();
    await using producer = await openProducer(config, { log: writing, signal: never });
    await using consumer = await openConsumer(config, { log: reading, signal: never });
    const keys = new Set<string>();
    const running = consumer.batches(async (records) => {
      for (const { key } of records) keys.add(String(key));
    }, stop.signal);
    const first = events(100);
    await producer.publish(first);
    await until(() => keys.size === 100);

    await servers.stop("kafka");
    const waitsOf = (log: typeof reading) => log.waits.now().map(({ what }) => what);
    await until(() => [reading, writing].every((log) => waitsOf(log).includes(away())));
    const before = await sizeOfProcess();
    const since = performance.now();
    let refused = 0;
    const batch = events(2000);
    await until(async () => {
      const error = await failureOf(producer.publish(batch));
      expect(error).toMatchObject({ name: "PipelineError", code: "unavailable" });
      refused += 1;
      return performance.now() - since > outageMs;
    });
    expect(refused).toBeGreaterThan(10);
    expect((await sizeOfProcess()).mb).toBeLessThan(before.mb * 1.5);

    await servers.start("kafka");
    await until(() => [reading, writing].every((log) => log.waits.now().length === 0));
    const later = events(100);
    expect(await producer.publish(later)).toEqual([]);
    await until(() => [...first, ...later].every(({ key }) => keys.has(String(key))));
    expect(reading.told("warn", "waiting")).toMatchObject([{ what: away() }]);
    expect(reading.told("info", "there again")).toMatchObject([{ what: away() }]);
    // Whoever publishes says that it waits.
    expect(writing.told("warn")).toEqual([]);
    stop.abort();
    await running;
  });
});

describe("a stop while the broker does not answer", () => {
  test("gives back what is being published, long before its time is up", async () => {
    const { topic: config } = readConfig(settings());
    const stop = new AbortController();
    const log = createLogLines();
    await using producer = await openProducer(config, { log, signal: stop.signal });
    await producer.publish(events(10));
    await servers.links.kafka.set({ broken: "black hole" });
    try {
      const published = failureOf(producer.publish(events(1000)));
      stop.abort(new DOMException("stopped by the test", "AbortError"));
      // Not that of the client, which gives up after half a minute.
      expect((await published).message).toBe("stopped by the test");
    } finally {
      await servers.links.kafka.open();
    }
  });

  test("ends ingest with 0, and what was not acknowledged stays in the outbox", async () => {
    await using database = await openDatabase();
    await using api = startFakeApi();
    const own = {
      ...{ ...settings(), DATABASE_URL: database.config.url, SOURCE_URL: api.url, PORT: "0" },
      SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
    };
    await using ingest = startScript("ingest", [], own);
    const line = /"url":"([^"]+)","msg":"listening"/;
    await ingest.says(line);
    const url = line.exec(ingest.stderr)?.[1] ?? "";
    await servers.links.kafka.set({ broken: "black hole" });
    try {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify({ results: 500 });
      const answer = await fetch(`${url}api/runs`, { method: "POST", headers, body });
      expect(answer.status).toBe(202);
      const waiting = async () =>
        Number((await database.sql`select count(*) as waiting from outbox`)[0]?.waiting);
      await until(async () => (await waiting()) === 500);
      const end = await ingest.end("SIGTERM");
      expect(end).toMatchObject({ exitCode: 0 });
      expect(await waiting()).toBe(500);
    } finally {
      await servers.links.kafka.open();
    }
    const { topic: config } = readConfig(own);
    const log = createLogLines();
    await using reader = await openReader(config, { log, signal: never });
    await using again = startScript("ingest", [], own);
    const published = async () => {
      const marks = [...(await reader.watermarks(config.name)).values()];
      return marks.reduce((sum, { high }) => sum + high, 0) >= 500;
    };
    await until(published);
    expect((await again.end("SIGTERM")).exitCode).toBe(0);
  });
});
