import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageChain } from "../lib/errors.ts";
import { down, type ServerName, up } from "../lib/local/servers.ts";

/*
 * Servers for tests: those that TEST_… variables name, else local processes on free ports, started when first
 * asked for and shared by all files of one `bun test`. A start can take minutes on a busy machine: a file that
 * asks for one begins with `setDefaultTimeout(180_000)`.
 */

/** "host:port" of a broker; TEST_KAFKA_BROKERS names another. */
export async function testKafka(): Promise<string> {
  return Bun.env.TEST_KAFKA_BROKERS || `127.0.0.1:${await portOf("kafka")}`;
}

/** "host:port" of a node; TEST_CASSANDRA_CONTACT_POINTS names another. */
export async function testCassandra(): Promise<string> {
  return Bun.env.TEST_CASSANDRA_CONTACT_POINTS || `127.0.0.1:${await portOf("cassandra")}`;
}

/** A postgres:// URL; TEST_DATABASE_URL names another. */
export async function testPostgres(): Promise<string> {
  const own = async () => `postgres://postgres@127.0.0.1:${await portOf("postgres")}/postgres`;
  return Bun.env.TEST_DATABASE_URL || (await own());
}

/** Ends what was started, with its data; called once, after the last file. */
export async function stopTestServers(): Promise<void> {
  const stopping = [...started].map(async ([name, { home, port }]) => {
    started.delete(name);
    await port.catch(() => {});
    await down({ home: await home, wipe: true });
    await rm(await home, { recursive: true, force: true });
  });
  await Promise.all(stopping);
}

interface Started {
  readonly home: Promise<string>;
  readonly port: Promise<number>;
}

const started = new Map<ServerName, Started>();

function portOf(name: ServerName): Promise<number> {
  const existing = started.get(name);
  if (existing) return existing.port;
  // A home for each: one home starts its servers one `up` after the other.
  const home = mkdtemp(join(tmpdir(), `test-${name}-`));
  const port = startIn(home, name);
  started.set(name, { home, port });
  return port;
}

async function startIn(home: Promise<string>, name: ServerName): Promise<number> {
  try {
    // PostgreSQL runs under an account of its own where we are root: it must get there.
    await chmod(await home, 0o711);
    const [server] = await up({
      home: await home,
      only: [name],
      ports: { [name]: 0 },
      javaHome: Bun.env.JAVA_HOME,
      dieWithParent: true,
    });
    if (server === undefined) throw new Error(`${name} is not one of the local servers`);
    return server.port;
  } catch (error) {
    process.stderr.write(`no ${name} for the tests: ${messageChain(error).join(": ")}\n`);
    throw error;
  }
}
