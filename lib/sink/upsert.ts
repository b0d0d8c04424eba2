import type { Config } from "../config.ts";
import type { VersionedUser } from "../domain/event.ts";
import { PipelineError } from "../errors.ts";
import type { RefusedRow } from "../flow/topic-to-sink.ts";
import type { Log } from "../log.ts";
import { writeBatch } from "./batch.ts";
import { requestMs } from "./client.ts";
import { createLimit } from "./limit.ts";
import { ownersBy, type Piece, pieces, rowsEach, singles } from "./pieces.ts";
import { checkColumns, columns, ensureSchema, tableId } from "./schema.ts";
import type { Store } from "./store.ts";
import { createWaves } from "./wave.ts";

const single = { prepare: true, isIdempotent: true };

/**
 * Writes with our version as the write time, so that the newest version of an id stands whatever
 * the order, and a repeated write changes nothing. What a store can take is learnt for as long as
 * this lives.
 */
export function createUpsert(store: Store, config: Config["sink"], log: Log) {
  const query = insert(config);
  const limit = createLimit();
  const wave = createWaves<Piece>(limit);
  const write = ({ rows }: Piece) =>
    store.ask(`write ${rows.length} rows`, async (client) => {
      const [one] = rows;
      if (one && rows.length === 1) return void (await client.execute(query, values(one), single));
      return writeBatch(client, query, rows);
    });

  return async (
    rows: readonly VersionedUser[],
    signal: AbortSignal,
  ): Promise<readonly RefusedRow[]> => {
    const refused: RefusedRow[] = [];
    const attempt = async (piece: Piece): Promise<readonly Piece[]> => {
      if (!(await refusal(write(piece)))) return [];
      if (piece.rows.length > 1) return singles(piece);
      const reason = await refusalForGood(store, config, () => write(piece));
      if (reason) refused.push({ index: piece.indexes[0] ?? 0, rejection: { path: "", reason } });
      return [];
    };
    try {
      const owners = await store.ask("look at the nodes", async (client) =>
        ownersBy(client, config.keyspace),
      );
      const most = rowsEach(rows.length, Math.min(32, limit.slots - limit.inFlight));
      await wave(pieces(rows, { owners, most }), attempt, { signal, settleMs: requestMs });
    } catch (error) {
      if (!signal.aborted) await mend(store, config, { log, error });
      throw error;
    }
    return refused.toSorted((a, b) => a.index - b.index);
  };
}

/** Why the store refuses what is being written; undefined when it takes it. */
async function refusal(writing: Promise<unknown>): Promise<string | undefined> {
  try {
    await writing;
    return undefined;
  } catch (error) {
    if (error instanceof PipelineError && error.code === "refused") return error.message;
    throw error;
  }
}

/**
 * Writes a refused row again, for a table that is missing or altered refuses every row alike: only
 * what one and the same table, as it should be, refuses is the row's own fault.
 */
async function refusalForGood(
  store: Store,
  config: Config["sink"],
  write: () => Promise<unknown>,
): Promise<string | undefined> {
  const standing = () => store.ask("look for the table", (client) => tableId(client, config));
  const before = await standing();
  await store.ask("look at the table", (client) => checkColumns(client, config));
  const reason = await refusal(write());
  if (reason === undefined) return undefined;
  if (before !== undefined && before === (await standing())) return reason;
  throw new PipelineError("unavailable", reason);
}

/**
 * After a failure: makes a table that is gone again, and says so; of one that is altered, says how.
 */
async function mend(
  store: Store,
  config: Config["sink"],
  { log, error }: { readonly log: Log; readonly error: unknown },
): Promise<void> {
  if (!(error instanceof PipelineError) || error.code !== "unavailable") return;
  let id: string | undefined;
  try {
    id = await store.ask("look for the table", (client) => tableId(client, config));
  } catch {
    // The store is what is missing.
    throw error;
  }
  if (id !== undefined) {
    return await store.ask("look at the table", (client) => checkColumns(client, config));
  }
  const made = await store.ask("make the dropped table again", (client) =>
    ensureSchema(client, config),
  );
  const table = `${config.keyspace}.${config.table}`;
  const hint = "`bun run runs republish` brings its rows back";
  if (made) log.warn({ table, hint }, "the table was dropped: made again");
}

function insert({ keyspace, table }: Config["sink"]): string {
  return `insert into ${keyspace}.${table} (${columns.join(", ")}) values (${columns
    .map(() => "?")
    .join(", ")}) using timestamp ?`;
}

function values({ user, version }: VersionedUser): unknown[] {
  return [...columns.map((column) => user[column]), version];
}
