import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageChain } from "../lib/errors.ts";
import { down, type ServerName, serverNames, up } from "../lib/local/servers.ts";

/*
 * Keeps the servers of one `bun test`, which kills its own children when a test times out. Reads the names of
 * servers, line by line, and answers each with a line of JSON: { name, port } or { name, error }. When its
 * input ends, with the tests or because they were killed, it ends the servers and deletes their data.
 */

export interface KeeperAnswer {
  readonly name: ServerName;
  readonly port?: number;
  readonly error?: string;
}

if (import.meta.main) {
  const base = await mkdtemp(join(tmpdir(), "test-servers-"));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(base, 0o711);
  // A home for each: one home starts its servers one `up` after the other.
  const homes = new Map(serverNames.map((name) => [name, join(base, name)]));
  const starting: Promise<void>[] = [];
  const tests = new AbortController();
  for await (const line of createInterface({ input: process.stdin })) {
    const name = serverNames.find((each) => each === line);
    const home = homes.get(name ?? "kafka");
    if (name && home) starting.push(start(name, home, tests.signal));
  }
  tests.abort();
  await Promise.all(starting);
  await Promise.all([...homes.values()].map((home) => down({ home, wipe: true })));
  await rm(base, { recursive: true, force: true });
}

async function start(name: ServerName, home: string, signal: AbortSignal): Promise<void> {
  const answer = (fields: Omit<KeeperAnswer, "name">) =>
    process.stdout.write(`${JSON.stringify({ name, ...fields })}\n`);
  try {
    const javaHome = Bun.env.JAVA_HOME;
    const options = { home, only: [name], ports: { [name]: 0 }, javaHome, signal };
    const [server] = await up({ ...options, dieWithParent: true });
    answer(server ? { port: server.port } : { error: `${name} is not known` });
  } catch (error) {
    answer({ error: messageChain(error).join(": ") });
  }
}
