import { describe, expect, test } from "bun:test";
import { constants } from "node:fs";
import { mkdtemp, open, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cassandraYaml, commitLogAccess } from "../../../lib/local/cassandra.ts";
import { serverProperties } from "../../../lib/local/kafka.ts";
import { postgresConf } from "../../../lib/local/postgres.ts";

const place = { dataDir: "/home/x/data", port: 1111, innerPort: 2222 };
const linesOf = (text: string) => text.trimEnd().split("\n");

describe("Kafka's settings", () => {
  const lines = (settings = {}) => linesOf(serverProperties({ ...place, settings }));

  test("let it listen on the loopback address only", () => {
    expect(lines()).toContain("listeners=PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222");
    expect(lines()).toContain("advertised.listeners=PLAINTEXT://127.0.0.1:1111");
  });

  test("make no topic that nobody asked for", () => {
    expect(lines()).toContain("auto.create.topics.enable=false");
  });

  test("give way to those given", () => {
    const given = lines({ "num.partitions": "9", "auto.create.topics.enable": "true" });
    expect(given).toContain("num.partitions=9");
    expect(given).toContain("auto.create.topics.enable=true");
    expect(given).not.toContain("auto.create.topics.enable=false");
  });

  test("keep our listeners beside those given", () => {
    const given = lines({
      listeners: "SSL://127.0.0.1:3333",
      "advertised.listeners": "SSL://127.0.0.1:3333",
      "listener.security.protocol.map": "SSL:SSL",
    });
    expect(given).toContain(
      "listeners=PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222,SSL://127.0.0.1:3333",
    );
    expect(given).toContain("advertised.listeners=PLAINTEXT://127.0.0.1:1111,SSL://127.0.0.1:3333");
    expect(given).toContain(
      "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL",
    );
  });
});

describe("Cassandra's settings", () => {
  const read = (settings = {}) =>
    Bun.YAML.parse(cassandraYaml({ ...place, settings })) as Record<string, unknown>;

  test("acknowledge a write only once it is on the disk", () => {
    expect(read()).toMatchObject({
      commitlog_sync: "group",
      commitlog_sync_group_window: "2ms",
    });
  });

  test.if(constants.O_DIRECT > 0)(
    "have its commit log pass by the page cache where that can be, which is tried",
    async () => {
      const dir = await mkdtemp(join(tmpdir(), "commit-log-"));
      try {
        const opens = open(join(dir, "file"), constants.O_CREAT | constants.O_DIRECT)
          .then((file) => file.close())
          .then(() => true)
          .catch(() => false);
        const wanted = (await opens) ? { commitlog_disk_access_mode: "direct" } : {};
        expect(await commitLogAccess(join(dir, "data"))).toEqual(wanted);
        expect(await readdir(join(dir, "data"))).toEqual([]);
      } finally {
        await rm(dir, { recursive: true });
      }
    },
  );

  test("let it listen on the loopback address only", () => {
    expect(read()).toMatchObject({
      listen_address: "127.0.0.1",
      rpc_address: "127.0.0.1",
      native_transport_port: 1111,
      storage_port: 2222,
    });
  });

  test("leave the warning for large batches at Cassandra's own", () => {
    expect(read()).not.toHaveProperty("batch_size_warn_threshold");
  });

  test("give way to those given, and go where an empty one is given", () => {
    const given = read({ commitlog_sync: "batch", commitlog_sync_group_window: "" });
    expect(given).toMatchObject({ commitlog_sync: "batch" });
    expect(given).not.toHaveProperty("commitlog_sync_group_window");
  });

  test("name folders with any characters", () => {
    const yaml = cassandraYaml({ ...place, dataDir: '/a "b": #c', settings: {} });
    expect(Bun.YAML.parse(yaml)).toMatchObject({ commitlog_directory: '/a "b": #c/commitlog' });
  });
});

describe("PostgreSQL's settings", () => {
  test("acknowledge a commit only once it is on the disk", () => {
    const lines = linesOf(postgresConf({ port: 1111, settings: {} }));
    expect(lines).toContain("fsync = 'on'");
    expect(lines).toContain("synchronous_commit = 'on'");
  });

  test("let it listen on the loopback address and on no socket file", () => {
    const lines = linesOf(postgresConf({ port: 1111, settings: {} }));
    expect(lines).toContain("listen_addresses = '127.0.0.1'");
    expect(lines).toContain("port = '1111'");
    expect(lines).toContain("unix_socket_directories = ''");
  });

  test("give way to those given, with quotes in them", () => {
    const lines = linesOf(
      postgresConf({ port: 1, settings: { max_connections: "7", log_line_prefix: "it's " } }),
    );
    expect(lines).toContain("max_connections = '7'");
    expect(lines).not.toContain("max_connections = '100'");
    expect(lines).toContain("log_line_prefix = 'it''s '");
  });
});
