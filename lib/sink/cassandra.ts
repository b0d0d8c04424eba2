import type { Config } from "../config.ts";
import type { Sink } from "../flow/topic-to-sink.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { createScan, type Scan } from "./scan.ts";
import { checkColumns, ensureSchema } from "./schema.ts";
import { openStore, type Store } from "./store.ts";
import { createUpsert } from "./upsert.ts";

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
 * Connects and creates keyspace and table where missing; waits for the store as long as it is down,
 * and for a table that is not as it should be.
 */
export async function openSink(
  config: Config["sink"],
  { log, signal, readOnly = false }: SinkOptions,
): Promise<CassandraSink> {
  await using opening = new AsyncDisposableStack();
  const store = opening.use(
    await retry(() => openTable(config, { readOnly, signal }), {
      what: `the store at ${config.contactPoints.join(",")}`,
      hint: "is it running? `bun run servers up` starts a local one; CASSANDRA_CONTACT_POINTS names another",
      log,
      signal,
    }),
  );
  const owned = opening.move();
  return {
    upsert: createUpsert(store, config, log),
    ...createScan(store, config),
    ping: async () => {
      await store.ask("ping", (client) => client.execute("select key from system.local"));
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function openTable(
  config: Config["sink"],
  { readOnly, signal }: { readonly readOnly: boolean; readonly signal: AbortSignal },
): Promise<Store> {
  await using opening = new AsyncDisposableStack();
  const store = opening.use(await openStore(config, signal));
  if (!readOnly) {
    await store.ask("make the table", (client) => ensureSchema(client, config));
    await store.ask("look at the table", (client) => checkColumns(client, config));
  }
  opening.move();
  return store;
}
