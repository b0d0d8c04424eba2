import { readConfig } from "../lib/config.ts";
import { connect } from "../lib/raw/client.ts";
import { connect as connectStore } from "../lib/sink/client.ts";
import type { Stations } from "./fixtures/faults/invariant.ts";
import { runScript, type Settings } from "./scripts.ts";

/** Makes the stations that settings name, and opens eyes on them. Disposing closes these. */
export async function openStations(settings: Settings): Promise<Stations & AsyncDisposable> {
  const { exitCode, stderr } = await runScript("migrate", [], settings);
  if (exitCode !== 0) throw new Error(`migrate: ${stderr}`);
  await using opening = new AsyncDisposableStack();
  const { raw, topic, sink } = readConfig(settings);
  const sql = connect(raw.url);
  opening.defer(() => sql.end({ timeout: 5 }));
  const store = await connectStore(sink);
  opening.defer(() => store.shutdown());
  const owned = opening.move();
  const table = `${sink.keyspace}.${sink.table}`;
  return { settings, sql, topic, store, table, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
