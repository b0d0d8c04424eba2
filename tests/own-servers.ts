import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, isFree, loopback } from "../lib/local/ports.ts";
import { down, type ServerName, serverNames, status, up } from "../lib/local/servers.ts";
import { type FaultProxy, openProxy } from "./proxy.ts";
import type { Settings } from "./scripts.ts";
import { until } from "./until.ts";

/** Servers that a test may stop, kill and freeze, each behind a link that can go wrong. */
export interface OwnServers extends AsyncDisposable {
  readonly links: Readonly<Record<ServerName, FaultProxy>>;
  /** Settings that reach the servers through the links, and ones that reach them directly. */
  readonly linked: Settings;
  readonly direct: Settings;
  /** Resolves when the server answers. */
  start(name: ServerName): Promise<void>;
  /** Asks the server to end and resolves when it has. */
  stop(name: ServerName): Promise<void>;
  /** Sends a signal to the server; SIGKILL resolves when it is gone. */
  signal(name: ServerName, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void>;
}

export interface OwnServersOptions {
  /** All of them by default. */
  readonly only?: readonly ServerName[];
  readonly signal?: AbortSignal;
  readonly onReady?: (name: ServerName) => void;
}

/**
 * Starts them on free ports, with their data in a folder for temporary files. Disposing ends
 * them and deletes the data; on Linux they also end when this process is killed.
 */
export async function openOwnServers(options: OwnServersOptions = {}): Promise<OwnServers> {
  await using opening = new AsyncDisposableStack();
  const { only: names = serverNames } = options;
  const base = await mkdtemp(join(tmpdir(), "own-servers-"));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(base, 0o711);
  opening.defer(() => rm(base, { recursive: true, force: true }));
  const [kafka = 0, cassandra = 0, postgres = 0, linkedKafka = 0] = freePorts(4);
  const ports = { kafka, cassandra, postgres };
  const link = async (port: number) => {
    const proxy = opening.use(await openProxy(`${loopback}:${port}`));
    await proxy.open();
    return proxy;
  };
  const links = {
    kafka: await link(linkedKafka),
    cassandra: await link(cassandra),
    postgres: await link(postgres),
  };
  // A broker tells its clients where to find it: those of the link must be told the link.
  const settings = {
    kafka: {
      listeners: `LINKED://${loopback}:${linkedKafka}`,
      "advertised.listeners": `LINKED://${links.kafka.address}`,
      "listener.security.protocol.map": "LINKED:PLAINTEXT",
    },
  };
  // A home for each: one home starts its servers one `up` after the other.
  const at = (name: ServerName) => ({ home: join(base, name), only: [name] });
  const start = async (name: ServerName) => {
    const { signal } = options;
    const place = { ...at(name), ports, settings, javaHome: Bun.env.JAVA_HOME };
    // A process that was killed is gone before the system has closed its sockets.
    await until(() => isFree(ports[name]), { what: `port ${ports[name]} of ${name} is free` });
    await up({ ...place, dieWithParent: true, ...(signal ? { signal } : {}) });
    options.onReady?.(name);
  };
  const stop = (name: ServerName) => down(at(name));
  opening.defer(async () => {
    await Promise.all(names.map((name) => down({ ...at(name), wipe: true })));
  });
  await Promise.all(names.map(start));
  const owned = opening.move();
  return {
    links,
    linked: settingsOf(links.postgres.address, links.kafka.address, links.cassandra.address),
    direct: settingsOf(
      ...([postgres, kafka, cassandra].map((port) => `${loopback}:${port}`) as Addresses),
    ),
    start,
    stop,
    signal: async (name, signal) => {
      const [server] = await status(at(name));
      if (server?.pid) process.kill(server.pid, signal);
      if (signal === "SIGKILL") await stop(name);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

type Addresses = [postgres: string, kafka: string, cassandra: string];

function settingsOf(...[postgres, kafka, cassandra]: Addresses): Settings {
  return {
    DATABASE_URL: `postgres://postgres@${postgres}/postgres`,
    KAFKA_BROKERS: kafka,
    CASSANDRA_CONTACT_POINTS: cassandra,
    // Free ones: no test listens where a service of this machine does.
    PORT: "0",
    CONSUMER_PORT: "0",
  };
}
