import type { Client } from "cassandra-driver";
import { type Config, readConfig } from "../lib/config.ts";
import { connect, type Sql } from "../lib/raw/client.ts";
import { connect as connectStore } from "../lib/sink/client.ts";
import { call, openAdmin } from "./kafka-clients.ts";
import { testCassandra, testKafka, testPostgres } from "./servers.ts";

/** Places of a test's own on the test servers: its names, and a way to look into them. Disposing drops them. */

export interface TestDatabase extends AsyncDisposable {
  readonly config: Config["raw"];
  readonly sql: Sql;
}

/** An empty database. */
export async function openDatabase(): Promise<TestDatabase> {
  const url = new URL(await testPostgres());
  const name = uniqueIdentifier();
  const admin = connect(url.href);
  await admin.unsafe(`create database ${name}`);
  url.pathname = `/${name}`;
  const sql = connect(url.href);
  return {
    config: { url: url.href },
    sql,
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 5 });
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end({ timeout: 5 });
    },
  };
}

export interface TestTopics extends AsyncDisposable {
  readonly config: Config["topic"];
}

/** Names of a topic, its dead letters and its group that nobody else has; the topics are not made here. */
export async function openTopics({
  partitions = 1,
  properties = {},
}: {
  readonly partitions?: number;
  readonly properties?: Config["topic"]["properties"];
} = {}): Promise<TestTopics> {
  const name = uniqueIdentifier();
  const { topic: config } = readConfig({
    KAFKA_BROKERS: await testKafka(),
    KAFKA_TOPIC: name,
    KAFKA_GROUP: name,
    KAFKA_PARTITIONS: String(partitions),
    KAFKA_PROPERTIES: JSON.stringify(properties),
  });
  return {
    config,
    [Symbol.asyncDispose]: async () => {
      using admin = await openAdmin(config.brokers.join(","));
      for (const topic of [config.name, config.deadLetters]) {
        await call((done) => admin.client.deleteTopic(topic, 30_000, done as () => void)).catch(
          () => "never made",
        );
      }
    },
  };
}

export interface TestKeyspace extends AsyncDisposable {
  /** For a table of its own each time: schema changes are slow, so tests of a file share the keyspace. */
  readonly config: () => Config["sink"];
  readonly client: Client;
}

/** A keyspace. */
export async function openKeyspace(): Promise<TestKeyspace> {
  const contactPoint = await testCassandra();
  const keyspace = uniqueIdentifier();
  const config = () =>
    readConfig({
      CASSANDRA_CONTACT_POINTS: contactPoint,
      CASSANDRA_KEYSPACE: keyspace,
      CASSANDRA_TABLE: uniqueIdentifier(),
    }).sink;
  const client = await connectStore(config());
  return {
    config,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.execute(`drop keyspace if exists ${keyspace}`);
      await client.shutdown();
    },
  };
}

/** All stations of one pipeline, and the settings that name them. */
export interface TestPipeline extends AsyncDisposable {
  readonly settings: Readonly<Record<string, string>>;
  readonly database: TestDatabase;
  readonly topic: Config["topic"];
  readonly table: string;
}

/** A database and topics of its own; the table in a keyspace that the caller drops. */
export async function openPipeline(
  keyspace: TestKeyspace,
  { partitions = 2 }: { readonly partitions?: number } = {},
): Promise<TestPipeline> {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await openDatabase());
  const { config: topic } = opening.use(await openTopics({ partitions }));
  const sink = keyspace.config();
  const owned = opening.move();
  return {
    database,
    topic,
    table: `${sink.keyspace}.${sink.table}`,
    settings: {
      DATABASE_URL: database.config.url,
      KAFKA_BROKERS: topic.brokers.join(","),
      KAFKA_TOPIC: topic.name,
      KAFKA_GROUP: topic.group,
      KAFKA_PARTITIONS: String(partitions),
      CASSANDRA_CONTACT_POINTS: sink.contactPoints.join(","),
      CASSANDRA_KEYSPACE: sink.keyspace,
      CASSANDRA_TABLE: sink.table,
      // Free ones: no test listens where a service of this machine does.
      PORT: "0",
      CONSUMER_PORT: "0",
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A name for anything, on any server. */
export function uniqueIdentifier(): string {
  return `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;
}
