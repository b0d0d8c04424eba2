import { join } from "node:path";
import type { ServerName } from "../lib/local/servers.ts";
import type { KeeperAnswer } from "./keeper.ts";

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

/** For the preloaded file alone: outside of any test, since what a test starts ends with it. */
export function openKeeper(): void {
  keeper ??= startKeeper();
}

/** Ends what was started, with its data, and waits for that. */
export async function closeKeeper(): Promise<void> {
  if (keeper === undefined) return;
  await keeper.child.stdin.end();
  await keeper.child.exited;
}

let keeper: ReturnType<typeof startKeeper> | undefined;

function startKeeper() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "keeper.ts")], {
    // Ctrl-C is for the tests; the keeper ends when they have.
    detached: true,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  child.unref();
  const ports = new Map<ServerName, PromiseWithResolvers<number>>();
  return { child, ports, reading: readAnswers(child.stdout, ports) };
}

async function portOf(name: ServerName): Promise<number> {
  if (keeper === undefined) throw new Error("tests/setup.ts is not preloaded (bunfig.toml)");
  const { child, ports } = keeper;
  const asked = ports.get(name);
  if (asked) return await asked.promise;
  const port = Promise.withResolvers<number>();
  ports.set(name, port);
  child.stdin.write(`${name}\n`);
  await child.stdin.flush();
  return await port.promise;
}

async function readAnswers(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  ports: ReadonlyMap<ServerName, PromiseWithResolvers<number>>,
): Promise<void> {
  let rest = "";
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const { name, port, error } of lines.map((line) => JSON.parse(line) as KeeperAnswer)) {
      if (port !== undefined) ports.get(name)?.resolve(port);
      else process.stderr.write(`no ${name} for the tests: ${error}\n`);
      ports.get(name)?.reject(new Error(error));
    }
  }
  for (const { reject } of ports.values()) reject(new Error("the keeper of the servers has ended"));
}
