import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { encode } from "../../lib/domain/event.ts";
import { silentLog as log } from "../../lib/log.ts";
import { openSink } from "../../lib/sink/cassandra.ts";
import { openProxy } from "../proxy.ts";
import { startScript } from "../scripts.ts";
import { openKeyspace, type TestKeyspace } from "../stations.ts";
import { makeTopics } from "../topics.ts";
import { never, rows } from "../users.ts";

setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(() => keyspace[Symbol.asyncDispose]());

test("consume ends in time though the store answers nothing, and the next one writes what it left", async () => {
  await using topics = await makeTopics();
  const config = keyspace.config();
  await using proxy = await openProxy(config.contactPoints[0] ?? "", { fault: {} });
  await using table = await openSink(config, { log, signal: never });
  const settings = {
    KAFKA_BROKERS: topics.config.brokers.join(","),
    KAFKA_TOPIC: topics.config.name,
    KAFKA_GROUP: topics.config.group,
    KAFKA_PARTITIONS: "1",
    CASSANDRA_CONTACT_POINTS: proxy.address,
    CASSANDRA_KEYSPACE: config.keyspace,
    CASSANDRA_TABLE: config.table,
    CONSUMER_PORT: "0",
    LOG_LEVEL: "debug",
  };
  const all = rows(500);

  await using first = startScript("consume", [], settings);
  await first.says("assigned");
  await proxy.set({ broken: "black hole" });
  await topics.send(all.map((row, at) => encode(row, { run: 1, raw: at })));
  // A request has timed out, and others are on their way again.
  await first.says('"what":"the table"');
  const { exitCode, stderr } = await first.end("SIGTERM");
  expect(exitCode).toBe(0);
  expect(stderr).not.toContain("not stopped within");

  await proxy.open();
  const drained = startScript("consume", ["--drain", "--json"], settings);
  const { stdout } = await drained.end();
  expect(JSON.parse(stdout)).toMatchObject({ records: 500, rows: 500, deadLetters: 0 });
  expect((await Array.fromAsync(table.scan())).flat()).toHaveLength(500);
});
