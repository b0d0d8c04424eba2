import { constants } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { classPath } from "./jars.ts";
import { javaCommand } from "./java.ts";
import { ask, loopback } from "./ports.ts";
import { endsWithParent } from "./privileges.ts";
import type { Place, Server } from "./server.ts";

/** One Cassandra node. */
export const cassandra: Server = {
  name: "cassandra",
  dataVersion: "5.0",
  defaultPort: 9042,
  memoryMb: 1500,
  stopSignal: "SIGTERM",
  needsJava: true,
  dataDir: async (home) => join(home, "cassandra"),
  prepare,
  answers,
};

/**
 * The text of cassandra.yaml; the jars bring none. `settings` replace ours, or remove them by "".
 */
export function cassandraYaml(place: Omit<Place, "java" | "dieWithParent">): string {
  const { dataDir, port, innerPort, settings } = place;
  const ours: Record<string, string> = {
    cluster_name: "local",
    partitioner: "org.apache.cassandra.dht.Murmur3Partitioner",
    endpoint_snitch: "SimpleSnitch",
    seed_provider: `[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "${loopback}:${innerPort}"}]}]`,
    num_tokens: "1",
    initial_token: '"-9223372036854775808"',
    auto_bootstrap: "false",
    listen_address: loopback,
    storage_port: String(innerPort),
    rpc_address: loopback,
    native_transport_port: String(port),
    data_file_directories: JSON.stringify([join(dataDir, "data")]),
    commitlog_directory: JSON.stringify(join(dataDir, "commitlog")),
    saved_caches_directory: JSON.stringify(join(dataDir, "caches")),
    hints_directory: JSON.stringify(join(dataDir, "hints")),
    cdc_raw_directory: JSON.stringify(join(dataDir, "cdc")),
    // A write is acknowledged once it is on the disk; writes of one window share an fsync.
    commitlog_sync: "group",
    commitlog_sync_group_window: "2ms",
    commitlog_segment_size: "32MiB",
    concurrent_reads: "16",
    // Each of these waits for its window's fsync, so many are needed; with 32 it was a third
    // slower.
    concurrent_writes: "128",
    // Threads that have nothing to do spin for a while: with the default of 128, writing a thousand
    // rows a second took six times as long to acknowledge each.
    native_transport_max_threads: "32",
    concurrent_compactors: "1",
    compaction_throughput: "32MiB/s",
    memtable_heap_space: "256MiB",
    file_cache_size: "64MiB",
    key_cache_size: "16MiB",
    // Else `drop table` and `truncate` keep a copy of everything.
    auto_snapshot: "false",
    authenticator: "AllowAllAuthenticator",
    authorizer: "AllowAllAuthorizer",
    // The defaults (2 s writes, 5 s reads) are for machines that serve nothing else.
    write_request_timeout: "10s",
    read_request_timeout: "10s",
    range_request_timeout: "20s",
    request_timeout: "20s",
  };
  return Object.entries({ ...ours, ...settings })
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}

const stream = 7;

async function answers(port: number): Promise<boolean> {
  // OPTIONS (5) in version 4 of the native protocol, without a body; the answer is SUPPORTED (6).
  const options = new Uint8Array([4, 0, 0, stream, 5, 0, 0, 0, 0]);
  // Where its settings ask clients for TLS, it hangs up on others.
  const answer = (await ask(port, options)) ?? (await ask(port, options, { tls: true }));
  return answer !== undefined && answer[3] === stream && answer[4] === 6;
}

async function prepare(place: Place) {
  const { dataDir, java } = place;
  if (java === undefined) throw new Error("Cassandra needs Java");
  const jars = classPath("cassandra");
  const agent = jars.split(":").find((jar) => jar.includes("/jamm-")) ?? dirname(jars);
  const settings = { ...(await commitLogAccess(dataDir)), ...place.settings };
  await Bun.write(join(dataDir, "cassandra.yaml"), cassandraYaml({ ...place, settings }));
  await Bun.write(join(dataDir, "logback.xml"), logging);
  const program = await javaCommand({
    java,
    classPath: jars,
    heap: "1g",
    tmpDir: join(dataDir, "tmp"),
    flags: [
      `-javaagent:${agent}`,
      ...openedTo17,
      "-Xms1g",
      "-Xss512k",
      "-Djdk.attach.allowAttachSelf=true",
      "-Dio.netty.tryReflectionSetAccessible=true",
      `-Dcassandra.config=${pathToFileURL(join(dataDir, "cassandra.yaml"))}`,
      `-Dcassandra.storagedir=${dataDir}`,
      `-Dcassandra.logdir=${dataDir}`,
      `-Dlogback.configurationFile=${join(dataDir, "logback.xml")}`,
      "-Dcassandra-foreground=yes",
      // A lone node has no neighbours to wait for.
      "-Dcassandra.skip_wait_for_gossip_to_settle=0",
      "-Dcassandra.ring_delay_ms=0",
      "-Dcassandra.superuser_setup_delay_ms=0",
      "-Dcassandra.shutdown_announce_in_ms=0",
      // What Cassandra 5.0.9 measures here at every start, for 1.7 s, on a 64-bit JVM with
      // compressed pointers.
      "-Dcassandra.memtable.row_overhead_size=181",
    ],
    main: "org.apache.cassandra.service.CassandraDaemon",
    args: [],
  });
  return { ...program, command: [...endsWithParent(place, "KILL"), ...program.command] };
}

/**
 * Past the page cache, where the file system lets one: with rows synced every 2 ms it was 1.5 times
 * as fast, and took the server two thirds of the CPU. As durable: what Cassandra 5.0 writes so is on
 * the disk when the call returns (O_DSYNC).
 */
export async function commitLogAccess(dir: string): Promise<Readonly<Record<string, string>>> {
  // Linux has it alone.
  const direct = constants.O_DIRECT ?? 0;
  if (direct === 0) return {};
  await mkdir(dir, { recursive: true });
  const probe = join(dir, "direct-probe");
  try {
    const file = await open(probe, constants.O_CREAT | constants.O_WRONLY | direct);
    await file.close();
    return { commitlog_disk_access_mode: "direct" };
  } catch {
    return {};
  } finally {
    await rm(probe, { force: true });
  }
}

/** From Cassandra 5.0's conf/jvm17-server.options: the parts of the JDK it reaches into. */
const openedTo17 = [
  ...[
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
  ].map((name) => `--add-exports=${name}=ALL-UNNAMED`),
  ...[
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
  ].map((name) => `--add-opens=${name}=ALL-UNNAMED`),
];

const logging = `<configuration>
  <appender name="F" class="ch.qos.logback.core.FileAppender">
    <file>\${cassandra.logdir}/server.log</file>
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level [%thread] %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="F"/></root>
</configuration>
`;
