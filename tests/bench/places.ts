import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../../lib/config.ts";
import { down, type ServerStatus, type Step, up } from "../../lib/local/servers.ts";
import { openKeyspace, openPipeline, type TestPipeline } from "../stations.ts";
import { type RecordsOptions, writeRecords } from "./records.ts";
import { cpuOf } from "./side.ts";

/** Servers to measure on, and a folder for what is sent; both gone when it is disposed. */
export interface Places extends AsyncDisposable {
  pipeline(): Promise<TestPipeline>;
  records(options: RecordsOptions): Promise<string>;
  serversCpu(): Readonly<Record<string, number>>;
}

export interface PlacesOptions {
  /** The servers to use; without them, some of its own on free ports. */
  readonly configured?: Config | undefined;
  readonly signal: AbortSignal;
  readonly onStep: (step: Step) => void;
}

export async function openPlaces({ configured, signal, onStep }: PlacesOptions): Promise<Places> {
  await using opening = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "users-pipeline-bench-"));
  opening.defer(() => rm(folder, { recursive: true, force: true }));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(folder, 0o711);
  let own: readonly ServerStatus[] = [];
  if (configured === undefined) {
    const home = join(folder, "servers");
    opening.defer(() => down({ home, wipe: true }));
    const ports = { kafka: 0, cassandra: 0, postgres: 0 };
    const javaHome = Bun.env.JAVA_HOME;
    own = await up({ home, ports, javaHome, dieWithParent: true, signal, onStep });
  }
  name(configured, own);
  const keyspace = opening.use(await openKeyspace());
  const files = new Map<string, Promise<void>>();
  const owned = opening.move();
  return {
    pipeline: () => openPipeline(keyspace, { partitions: configured?.topic.partitions ?? 6 }),
    records: async (options) => {
      const path = join(folder, `records-${options.count}-${options.valueBytes ?? "as-is"}`);
      const making = files.get(path) ?? writeRecords(path, options);
      files.set(path, making);
      await making;
      return path;
    },
    serversCpu: () =>
      Object.fromEntries(own.map(({ name, pid }) => [name, pid === null ? 0 : cpuOfTree(pid)])),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What opens places of one's own on servers is shared with the tests, which name theirs so. */
function name(configured: Config | undefined, own: readonly ServerStatus[]): void {
  const port = (name: ServerStatus["name"]) => own.find((one) => one.name === name)?.port;
  const address = `127.0.0.1:${port("postgres")}`;
  Object.assign(process.env, {
    TEST_KAFKA_BROKERS: configured?.topic.brokers.join(",") ?? `127.0.0.1:${port("kafka")}`,
    TEST_CASSANDRA_CONTACT_POINTS:
      configured?.sink.contactPoints.join(",") ?? `127.0.0.1:${port("cassandra")}`,
    TEST_DATABASE_URL: configured?.raw.url ?? `postgres://postgres@${address}/postgres`,
  });
}

/** PostgreSQL works in children of its first process. */
function cpuOfTree(pid: number): number {
  const { stdout } = Bun.spawnSync(["pgrep", "-P", String(pid)]);
  const children = stdout.toString().split("\n").filter(Boolean).map(Number);
  return cpuOf(pid) + children.reduce((sum, child) => sum + cpuOf(child), 0);
}
