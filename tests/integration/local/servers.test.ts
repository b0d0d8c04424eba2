import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "cassandra-driver";
import postgres from "postgres";
import { freePorts, isFree, loopback } from "../../../lib/local/ports.ts";
import { isRunning, startedAt } from "../../../lib/local/process.ts";
import { down, type ServerStatus, status, up } from "../../../lib/local/servers.ts";
import { failureOf } from "../../failure.ts";
import { openConsumer, openProducer, openTopic } from "../../kafka-clients.ts";
import { until } from "../../until.ts";

setDefaultTimeout(400_000);

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "test-local-"));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(home, 0o711);
});

afterAll(async () => {
  for (const name of await readdir(home)) await down({ home: join(home, name), wipe: true });
  await rm(home, { recursive: true, force: true });
}, 120_000);

const own = (name: string) => ({ home: join(home, name), dieWithParent: true });
const anyPort = { kafka: 0, cassandra: 0, postgres: 0 };
const addressOf = (list: readonly ServerStatus[], name: string) =>
  `${loopback}:${list.find((server) => server.name === name)?.port}`;

describe("the local servers", () => {
  test("keep their data when they are stopped and started, until it is wiped", async () => {
    const all = own("all");
    expect((await status(all)).map(({ pid, ready }) => ({ pid, ready }))).toEqual(
      Array(3).fill({ pid: null, ready: false }),
    );

    const first = await up({ ...all, ports: anyPort });
    expect(first.map(({ name, ready }) => [name, ready])).toEqual([
      ["kafka", true],
      ["cassandra", true],
      ["postgres", true],
    ]);
    const topic = await openTopic(addressOf(first, "kafka"));
    await writeEverywhere(first, topic.name);

    await down(all);
    for (const { pid } of first) expect(await startedAt(pid ?? 0)).toBeUndefined();
    expect((await status(all)).map(({ pid }) => pid)).toEqual([null, null, null]);

    const second = await up({ ...all, ports: anyPort });
    expect(await readEverywhere(second, topic.name)).toEqual(Array(3).fill("kept"));

    await down({ ...all, wipe: true });
    const left = await Promise.all(second.map(({ dataDir }) => readdir(dataDir).catch(() => [])));
    expect(left).toEqual([[], [], []]);
  });
});

describe("a server", () => {
  const only = ["postgres"] as const;

  test("that is up is not started again", async () => {
    const [before] = await up({ ...own("twice"), only, ports: anyPort });
    const steps: string[] = [];
    const [after] = await up({ ...own("twice"), only, onStep: ({ state }) => steps.push(state) });
    expect(after).toEqual(before as ServerStatus);
    expect(steps).toEqual(["up already"]);
  });

  test("that is up does not move to another port", async () => {
    await up({ ...own("moving"), only, ports: anyPort });
    const [other = 0] = freePorts(1);
    const error = await failureOf(up({ ...own("moving"), only, ports: { postgres: other } }));
    expect(error.message).toMatch(/postgres is up on port \d+, not \d+/);
  });

  test("is started once by two that ask at once", async () => {
    const starts = await Promise.all(
      [1, 2].map(() => up({ ...own("race"), only, ports: anyPort })),
    );
    expect(starts[0]).toEqual(starts[1] as ServerStatus[]);
  });

  test("listens on the loopback address only", async () => {
    const [server] = await up({ ...own("address"), only, ports: anyPort });
    const table = await Bun.file("/proc/net/tcp").text();
    const port = (server?.port ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const addresses = [...table.matchAll(/: ([0-9A-F]{8}):([0-9A-F]{4}) \S+ 0A /g)]
      .filter((match) => match[2] === port)
      .map((match) => match[1]);
    expect(addresses).toEqual(["0100007F"]);
  });

  test("that was killed is down, and starts again with its data", async () => {
    const [before] = await up({ ...own("killed"), only, ports: anyPort });
    await using sql = open(before);
    await sql.query`create table kept (id int)`;
    process.kill(before?.pid ?? 0, "SIGKILL");
    await until(async () => (await status({ ...own("killed"), only }))[0]?.pid === null);
    const [after] = await up({ ...own("killed"), only, ports: anyPort });
    await using again = open(after);
    expect([...(await again.query`select count(*)::int as rows from kept`)]).toEqual([{ rows: 0 }]);
  });

  test("whose port is taken says by whom, and which option chooses another", async () => {
    using taken = Bun.listen({ hostname: loopback, port: 0, socket: { data() {} } });
    const error = await failureOf(up({ ...own("taken"), only, ports: { postgres: taken.port } }));
    expect(error).toMatchObject({ code: "setup" });
    expect(error.message).toContain(`port ${taken.port}, for postgres, is taken by`);
    expect(error.message).toContain(`(process ${process.pid})`);
    expect(error.message).toContain("--postgres-port");
  });

  test("that ends while it starts says why, in its own words", async () => {
    const settings = { postgres: { shared_buffers: "very much" } };
    const error = await failureOf(up({ ...own("broken"), only, ports: anyPort, settings }));
    expect(error).toMatchObject({ code: "setup" });
    expect(error.message).toContain("postgres ended while it started");
    expect(error.message).toContain('invalid value for parameter "shared_buffers"');
  });

  test("does not touch data of another version", async () => {
    const dataDir = join(home, "version", "postgres");
    await mkdir(dataDir, { recursive: true });
    await Bun.write(join(dataDir, "version"), "12\n");
    const error = await failureOf(up({ ...own("version"), only, ports: anyPort }));
    expect(error.message).toContain("holds data of postgres 12, this is 18");
    expect(error.message).toContain("--wipe");
    expect(await readdir(dataDir)).toEqual(["version"]);
  });

  test("takes settings by its own names", async () => {
    const settings = { postgres: { max_connections: "17" } };
    const [server] = await up({ ...own("settings"), only, ports: anyPort, settings });
    await using sql = open(server);
    expect([...(await sql.query`show max_connections`)]).toEqual([{ max_connections: "17" }]);
  });

  test("is not stopped when its start is given up: nothing of it is left", async () => {
    const stop = new AbortController();
    const starting = up({
      ...own("aborted"),
      only: ["kafka"],
      ports: anyPort,
      signal: stop.signal,
      javaHome: Bun.env.JAVA_HOME,
    });
    await until(
      async () => (await status({ ...own("aborted"), only: ["kafka"] }))[0]?.pid !== null,
    );
    stop.abort(new Error("enough"));
    expect((await failureOf(starting)).message).toBe("enough");
    expect((await status({ ...own("aborted"), only: ["kafka"] }))[0]?.pid).toBeNull();
  });
});

describe("stopping", () => {
  const only = ["postgres"] as const;

  test("leaves a process alone that has the pid of a server which ended long ago", async () => {
    await using stranger = Bun.spawn(["sleep", "600"], { stdin: "ignore" });
    const dataDir = join(home, "stranger", "postgres");
    const record = { pid: stranger.pid, started: "1", port: 1, innerPort: 2 };
    await Bun.write(join(dataDir, "process.json"), JSON.stringify(record));
    await down({ ...own("stranger"), only });
    const started = (await startedAt(stranger.pid)) ?? "";
    expect(await isRunning({ pid: stranger.pid, started })).toBe(true);
    expect(stranger.exitCode).toBeNull();
  });

  test("what is down already does nothing", async () => {
    const steps: string[] = [];
    await down({ ...own("nothing"), onStep: ({ state }) => steps.push(state) });
    expect(steps).toEqual([]);
  });

  test("frees the port", async () => {
    const [server] = await up({ ...own("free"), only, ports: anyPort });
    expect(isFree(server?.port ?? 0)).toBe(false);
    await down({ ...own("free"), only });
    expect(isFree(server?.port ?? 0)).toBe(true);
  });
});

async function writeEverywhere(list: readonly ServerStatus[], topic: string): Promise<void> {
  await using producer = await openProducer(addressOf(list, "kafka"));
  await producer.send(topic, [{ value: Buffer.from("kept") }]);
  const client = await openCassandra(list);
  await client.execute(
    "create keyspace kept with replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 1}",
  );
  await client.execute("create table kept.kept (id int primary key, value text)");
  await client.execute("insert into kept.kept (id, value) values (1, 'kept')");
  await client.shutdown();
  await using sql = open(list.find(({ name }) => name === "postgres"));
  await sql.query`create table kept as select 'kept' as value`;
}

/** What each of them still has of it. */
async function readEverywhere(list: readonly ServerStatus[], topic: string) {
  await using consumer = await openConsumer(
    addressOf(list, "kafka"),
    { "group.id": "reader" },
    { "auto.offset.reset": "earliest" },
  );
  consumer.client.subscribe([topic]);
  const [message] = await consumer.take(1);
  const client = await openCassandra(list);
  const row = (await client.execute("select value from kept.kept where id = 1")).first();
  await client.shutdown();
  await using sql = open(list.find(({ name }) => name === "postgres"));
  const [kept] = await sql.query`select value from kept`;
  return [message?.value?.toString(), row?.value, kept?.value];
}

async function openCassandra(list: readonly ServerStatus[]): Promise<Client> {
  const client = new Client({
    contactPoints: [addressOf(list, "cassandra")],
    localDataCenter: "datacenter1",
    socketOptions: { readTimeout: 60_000 },
  });
  await client.connect();
  return client;
}

function open(server: ServerStatus | undefined) {
  const query = postgres({
    host: loopback,
    port: server?.port ?? 0,
    username: "postgres",
    max: 1,
    onnotice: () => {},
  });
  return { query, [Symbol.asyncDispose]: () => query.end({ timeout: 5 }) };
}
