import { silentLog as log } from "../../lib/log.ts";
import type { Sql } from "../../lib/raw/client.ts";
import { openRawStore, type RawStore } from "../../lib/raw/postgres.ts";
import { ensureTopics } from "../../lib/topic/kafka.ts";
import { openSender, type Sender } from "../../lib/topic/producer.ts";
import { openReader, type Reader } from "../../lib/topic/reader.ts";
import { type RunningScript, startScript } from "../scripts.ts";
import { openPipeline, type TestKeyspace } from "../stations.ts";
import { until } from "../until.ts";
import { never } from "../users.ts";
import { type ChangingApi, startChangingApi } from "./changing-api.ts";
import type { Stations } from "./invariant.ts";

/** A pipeline of its own whose processes a test starts and breaks, and eyes on all its stations. */
export interface Scene extends Stations, AsyncDisposable {
  readonly api: ChangingApi;
  readonly raw: RawStore;
  readonly reader: Reader;
  /** Queues runs over the same users, which change each time; gives the runs' ids. */
  queue(runs: number, users: number): Promise<readonly number[]>;
  /** Puts records on the topic that are no users. */
  poison(records: number): Promise<void>;
  /** Time passes: workers that have died have been silent for long enough. */
  outwait(): Promise<void>;
  /** Time passes: PostgreSQL ends the transactions of workers that stand still. */
  outwaitTransactions(): Promise<void>;
}

/** The least that brokers allow by default (group.min.session.timeout.ms). */
const sessionMs = 6000;

export async function openScene(
  keyspace: TestKeyspace,
  { partitions }: { readonly partitions: number },
): Promise<Scene> {
  await using opening = new AsyncDisposableStack();
  const pipeline = opening.use(await openPipeline(keyspace, { partitions }));
  const { topic, table, database } = pipeline;
  const api = opening.use(startChangingApi());
  const options = { log, signal: never };
  const raw = opening.use(await openRawStore(database.config, options));
  await ensureTopics(topic, options);
  const reader = opening.use(await openReader(topic, options));
  const sender = opening.use(await openSender(topic, { ...options, topic: topic.name }));
  const owned = opening.move();
  return {
    ...{ api, raw, reader, topic, table, sql: database.sql, store: keyspace.client },
    settings: {
      ...pipeline.settings,
      SOURCE_URL: api.url,
      // A minute that is hours away from any test.
      SCHEDULE: `0 ${(new Date().getUTCHours() + 12) % 24} * * *`,
      KAFKA_PROPERTIES: JSON.stringify({ "session.timeout.ms": sessionMs }),
    },
    queue: async (runs, users) => {
      const request = { trigger: "manual", results: users, nat: [], seed: "same-" } as const;
      const made = await Array.fromAsync(Array(runs), () => raw.runs.create(request));
      return made.map(({ id }) => id);
    },
    poison: (records) => putPoison(sender, records),
    outwait: async () => {
      await database.sql`
        update runs set heartbeat_at = now() - interval '1 hour' where state = 'running'`;
    },
    outwaitTransactions: () => endIdleTransactions(database.sql),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** As `idle_in_transaction_session_timeout` does; what still works is waited for. */
async function endIdleTransactions(sql: Sql): Promise<void> {
  await until(async () => {
    const [open] = await sql<{ count: number }[]>`
      select count(pg_terminate_backend(pid)) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`;
    return open?.count === 0;
  });
}

/** A script that works while others are broken. */
export async function beside(name: "ingest" | "consume", { settings }: Stations) {
  const script = startScript(name, [], settings);
  await script.says("listening");
  return endingWell(script);
}

/** Told to end when it is disposed of, a process has to end well. */
export function endingWell(script: RunningScript): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      const { exitCode, stderr } = await script.end("SIGTERM");
      if (exitCode !== 0) throw new Error(`ended with ${exitCode}:\n${stderr}`);
    },
  };
}

const poisons: readonly (string | null)[] = [
  "not json",
  "{}",
  "[]",
  null,
  '{"id":"42"}',
  "\0\ufffd",
];

async function putPoison(sender: Sender, records: number): Promise<void> {
  const some = Array.from({ length: records }, (_, at) => poisons[at % poisons.length] ?? null);
  const refused = await sender.send(
    some.map((value) => ({
      key: null,
      value: value === null ? null : Buffer.from(value),
      headers: [],
    })),
  );
  if (refused.length > 0) throw new Error(`poison refused: ${Bun.inspect(refused)}`);
}
