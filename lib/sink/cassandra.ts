import type { Client } from "cassandra-driver";
import type { Config } from "../config.ts";
import type { VersionedUser } from "../domain/event.ts";
import { PipelineError } from "../errors.ts";
import type { RefusedRow, Sink } from "../flow/topic-to-sink.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { asked, connect } from "./client.ts";
import { createScan, type Scan } from "./scan.ts";
import { columns, ensureSchema } from "./schema.ts";

export interface CassandraSink extends Sink, Scan, AsyncDisposable {
  /** Resolves when the store answers a query. */
  ping(): Promise<void>;
}

export interface SinkOptions {
  /** Only looks: creates no keyspace and no table. */
  readonly readOnly?: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Small batches cost both sides less than single writes, and stay below 10 partitions, where
 * Cassandra warns.
 */
const batchRows = 8;
const maxInFlight = 64;

/**
 * Connects and creates keyspace and table where missing; waits for the store as long as it is down.
 */
export async function openSink(
  config: Config["sink"],
  { log, signal, readOnly = false }: SinkOptions,
): Promise<CassandraSink> {
  await using opening = new AsyncDisposableStack();
  const client = await retry(() => asked("open", () => openClient(config, readOnly)), {
    what: `the store at ${config.contactPoints.join(",")}`,
    hint: "is it running? `bun run servers up` starts a local one; CASSANDRA_CONTACT_POINTS names another",
    log,
    signal,
  });
  opening.defer(() => client.shutdown());
  const owned = opening.move();
  return {
    upsert: (rows) => upsert(client, config, rows),
    ...createScan(client, config),
    ping: async () => {
      await asked("ping", () => client.execute("select key from system.local"));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openClient(config: Config["sink"], readOnly: boolean): Promise<Client> {
  const client = await connect(config);
  try {
    if (!readOnly) await ensureSchema(client, config);
    return client;
  } catch (error) {
    await client.shutdown();
    throw error;
  }
}

/**
 * Writes with our version as the write time, so that the newest version of an id stands whatever
 * the order, and a repeated write changes nothing.
 */
async function upsert(
  client: Client,
  config: Config["sink"],
  rows: readonly VersionedUser[],
): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = [];
  let next = 0;
  let failure: unknown;
  const writer = async () => {
    while (next < rows.length && failure === undefined) {
      const from = next;
      next += batchRows;
      const batch = rows.slice(from, from + batchRows);
      try {
        if (await written(client, config, batch)) continue;
        refused.push(...(await singly(client, config, batch, from)));
      } catch (error) {
        failure ??= error;
      }
    }
  };
  const writers = Math.min(maxInFlight, Math.ceil(rows.length / batchRows));
  // All have stopped before this fails, so that the next try is not beside this one.
  await Promise.all(Array.from({ length: writers }, writer));
  if (failure !== undefined) throw failure;
  return refused;
}

/** True when the rows are written, false when the store refuses one of them. */
async function written(
  client: Client,
  config: Config["sink"],
  rows: readonly VersionedUser[],
): Promise<boolean> {
  const query = insert(config);
  try {
    await asked(`write ${rows.length} rows`, () =>
      client.batch(
        rows.map((row) => ({ query, params: values(row) })),
        { prepare: true, logged: false, isIdempotent: true },
      ),
    );
    return true;
  } catch (error) {
    if (error instanceof PipelineError && error.code === "refused") return false;
    throw error;
  }
}

/** Writes a refused batch row by row, to learn which of them the store refuses. */
async function singly(
  client: Client,
  config: Config["sink"],
  rows: readonly VersionedUser[],
  from: number,
): Promise<readonly RefusedRow[]> {
  const refused: RefusedRow[] = [];
  for (const [at, row] of rows.entries()) {
    try {
      await asked("write a row", () =>
        client.execute(insert(config), values(row), { prepare: true, isIdempotent: true }),
      );
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "refused") throw error;
      await tableStands(client, config);
      refused.push({ index: from + at, rejection: { path: "", reason: error.message } });
    }
  }
  return refused;
}

/** A missing table refuses every row alike: that passes, and no row is to blame. */
async function tableStands(client: Client, { keyspace, table }: Config["sink"]): Promise<void> {
  try {
    await asked("look at the table", () =>
      client.execute(`select ${columns.join(", ")} from ${keyspace}.${table} limit 1`),
    );
  } catch (cause) {
    throw new PipelineError(
      "unavailable",
      `the table ${keyspace}.${table} is not as it should be`,
      {
        cause,
      },
    );
  }
}

function insert({ keyspace, table }: Config["sink"]): string {
  return `insert into ${keyspace}.${table} (${columns.join(", ")}) values (${columns
    .map(() => "?")
    .join(", ")}) using timestamp ?`;
}

function values({ user, version }: VersionedUser): unknown[] {
  return [...columns.map((column) => user[column]), version];
}
