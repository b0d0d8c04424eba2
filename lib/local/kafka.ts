import { stat } from "node:fs/promises";
import { join } from "node:path";
import { PipelineError } from "../errors.ts";
import { classPath } from "./jars.ts";
import { type Java, javaCommand } from "./java.ts";
import { ask, loopback } from "./ports.ts";
import { endsWithParent } from "./privileges.ts";
import type { Place, Server } from "./server.ts";

/** One Kafka broker that is its own controller (KRaft). */
export const kafka: Server = {
  name: "kafka",
  dataVersion: "4.3",
  defaultPort: 9092,
  memoryMb: 600,
  stopSignal: "SIGTERM",
  needsJava: true,
  dataDir: async (home) => join(home, "kafka"),
  prepare,
  answers,
};

/**
 * The text of server.properties. Of `settings` those that name listeners are added to ours, with a
 * comma; all others replace ours.
 */
export function serverProperties(place: Omit<Place, "java" | "dieWithParent">): string {
  const { dataDir, port, innerPort, settings } = place;
  const ours: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@${loopback}:${innerPort}`,
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(dataDir, "data"),
    // Topics are made by `migrate`, with the partitions and settings they need.
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    // The internal topics' defaults (50 partitions, 3 replicas) are for clusters; each partition
    // costs start time.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "3",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "3",
    // Waits for more members of a new group by default (3 s); here a lone one should start at once.
    "group.initial.rebalance.delay.ms": "0",
    // By the group protocol of Kafka 4 the broker says when a member is dead; 45 s by default.
    "group.consumer.session.timeout.ms": "10000",
    "group.consumer.min.session.timeout.ms": "10000",
    "group.consumer.heartbeat.interval.ms": "3000",
    "group.consumer.min.heartbeat.interval.ms": "3000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    // 128 MiB by default, of a heap of 512.
    "log.cleaner.dedupe.buffer.size": "33554432",
  };
  const listeners = {
    listeners: `PLAINTEXT://${loopback}:${port},CONTROLLER://${loopback}:${innerPort}`,
    "advertised.listeners": `PLAINTEXT://${loopback}:${port}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
  };
  const joined = Object.entries(listeners).map(([name, value]) => [
    name,
    settings[name] ? `${value},${settings[name]}` : value,
  ]);
  return Object.entries({ ...ours, ...settings, ...Object.fromEntries(joined) })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

/**
 * The last field of an ApiVersions answer to version 0 comes after this: correlation id, error 0.
 */
const correlation = 7;

async function answers(port: number): Promise<boolean> {
  // The broker opens its port to clients last: after the controller has it registered and unfenced.
  const apiVersions = [0, 18, 0, 0, 0, 0, 0, correlation, 0xff, 0xff];
  const answer = await ask(port, new Uint8Array([0, 0, 0, apiVersions.length, ...apiVersions]));
  return answer !== undefined && answer[7] === correlation && answer[8] === 0 && answer[9] === 0;
}

async function prepare(place: Place) {
  const { dataDir, java } = place;
  if (java === undefined) throw new Error("Kafka needs Java");
  const properties = join(dataDir, "server.properties");
  await Bun.write(properties, serverProperties(place));
  await Bun.write(join(dataDir, "log4j2.properties"), logging);
  if (!(await isFormatted(dataDir))) await format(java, dataDir, properties);
  const program = await javaCommand({
    java,
    classPath: classPath("kafka"),
    heap: "512m",
    tmpDir: join(dataDir, "tmp"),
    flags: [
      `-Dkafka.logs.dir=${dataDir}`,
      `-Dlog4j2.configurationFile=${join(dataDir, "log4j2.properties")}`,
    ],
    main: "kafka.Kafka",
    args: [properties],
  });
  return { ...program, command: [...endsWithParent(place, "KILL"), ...program.command] };
}

async function isFormatted(dataDir: string): Promise<boolean> {
  return await stat(join(dataDir, "data/meta.properties")).then(
    () => true,
    () => false,
  );
}

/** Kafka starts only on a log folder that carries the cluster's id. */
async function format(java: Java, dataDir: string, properties: string): Promise<void> {
  const clusterId = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
  const tool = Bun.spawn(
    [
      ...[java.bin, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
      ...[`-Dlog4j2.configurationFile=${join(dataDir, "log4j2.properties")}`],
      ...[`-Dkafka.logs.dir=${dataDir}`, "-cp", classPath("kafka")],
      ...["kafka.tools.StorageTool", "format", "--ignore-formatted"],
      // An id that begins with a hyphen would be read as an option.
      ...["-t", clusterId.replace(/^-/, "A"), "-c", properties],
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [out, err] = await Promise.all([
    new Response(tool.stdout).text(),
    new Response(tool.stderr).text(),
  ]);
  if ((await tool.exited) !== 0) {
    throw new PipelineError("setup", `Kafka's folder could not be formatted:\n${out}${err}`.trim());
  }
}

const logging = `status = warn
appender.file.type = File
appender.file.name = F
appender.file.fileName = \${sys:kafka.logs.dir}/server.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{1.} %m%n
rootLogger.level = warn
rootLogger.appenderRef.file.ref = F
logger.server.name = kafka.server
logger.server.level = info
logger.common.name = org.apache.kafka.server
logger.common.level = info
`;
