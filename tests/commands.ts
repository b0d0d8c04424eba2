import { resolve } from "node:path";
import { startFakeApi } from "../lib/local/fake-api/server.ts";
import { openDatabase, openKeyspace, openTopics } from "./stations.ts";

/** The project's commands as a user runs them: processes with settings in their environment. */

const scripts = resolve(import.meta.dir, "../scripts");

export type Settings = Readonly<Record<string, string>>;

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function command(
  [name, ...args]: readonly [string, ...string[]],
  settings: Settings = {},
): Promise<Done> {
  await using running = start([name, ...args], settings);
  const code = await running.exited;
  return { code, stdout: await running.stdout, stderr: running.stderr() };
}

/** The JSON that a command printed; an error with its words when it failed. */
export async function json<T>(
  args: readonly [string, ...string[]],
  settings: Settings = {},
): Promise<T> {
  const { code, stdout, stderr } = await command(args, settings);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}\n${stdout}\n${stderr}`);
  return JSON.parse(stdout);
}

/** Starts a command; disposing kills it. */
export function start([name, ...args]: readonly [string, ...string[]], settings: Settings = {}) {
  const child = Bun.spawn([process.execPath, `${scripts}/${name}.ts`, ...args], {
    env: { PATH: Bun.env.PATH ?? "", ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let errors = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) errors += text;
  })();
  return {
    stdout: new Response(child.stdout).text(),
    /** What it has said so far. */
    stderr: () => errors,
    exited: child.exited.then(async (code) => {
      await reading;
      return code;
    }),
    stop: (signal: NodeJS.Signals = "SIGTERM") => child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** A database, topics and a table of a test's own, and a stand-in of the API: settings for all commands. */
export async function openPipeline(options: Parameters<typeof startFakeApi>[0] = {}) {
  await using opening = new AsyncDisposableStack();
  const database = opening.use(await openDatabase());
  const topics = opening.use(await openTopics({ partitions: 3 }));
  const keyspace = opening.use(await openKeyspace());
  const api = opening.use(startFakeApi(options));
  const sink = keyspace.config();
  const settings: Settings = {
    SOURCE_URL: api.url,
    DATABASE_URL: database.config.url,
    KAFKA_BROKERS: topics.config.brokers.join(","),
    KAFKA_TOPIC: topics.config.name,
    KAFKA_GROUP: topics.config.group,
    KAFKA_PARTITIONS: "3",
    CASSANDRA_CONTACT_POINTS: sink.contactPoints.join(","),
    CASSANDRA_KEYSPACE: sink.keyspace,
    CASSANDRA_TABLE: sink.table,
    PORT: "0",
    CONSUMER_PORT: "0",
  };
  const owned = opening.move();
  return {
    settings,
    sql: database.sql,
    cql: (text: string) => keyspace.client.execute(text),
    table: `${sink.keyspace}.${sink.table}`,
    topics: topics.config,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
