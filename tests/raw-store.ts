import { afterAll } from "bun:test";
import type { JudgedPage } from "../lib/flow/source-to-raw.ts";
import { silentLog as log } from "../lib/log.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { openDatabase, type TestDatabase } from "./stations.ts";
import { never } from "./users.ts";

/* The raw store in a database of a test's own, for tests that look at what is in it. */

/**
 * Called once in a file of tests, gives a way to open an empty raw store and to look into it. Making
 * a database takes half a second: those that tests are done with are emptied and used again.
 */
export function rawStores() {
  const idle: TestDatabase[] = [];
  afterAll(async () => {
    for (const database of idle) await database[Symbol.asyncDispose]();
  });
  return async () => {
    await using opening = new AsyncDisposableStack();
    const database = idle.pop() ?? (await openDatabase());
    opening.defer(async () => {
      await emptied(database);
      idle.push(database);
    });
    const store = opening.use(await openRawStore(database.config, { log, signal: never }));
    const owned = opening.move();
    const { sql, config } = database;
    return { ...store, config, sql, store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  };
}

export type OpenStore = Awaited<ReturnType<ReturnType<typeof rawStores>>>;

export const manual = { trigger: "manual", results: 100, nat: [] } as const;

/** A run in the hands of a worker. */
export async function claimed({ runs }: Pick<OpenStore, "runs">, worker = "me") {
  const { id } = await runs.create(manual);
  const run = await runs.claim(worker, id);
  if (!run) throw new Error("no run");
  return run;
}

/** A page whose users count as accepted, whatever they are. */
export const accepted = (users: readonly unknown[]): JudgedPage => ({
  page: 1,
  payloads: users.map((user) => JSON.stringify(user)),
  users: users.map(() => ({ id: crypto.randomUUID() })),
});

/** Its worker has been silent for too long. */
export const silenced = ({ sql }: Pick<OpenStore, "sql">, id: number) =>
  sql`update runs set heartbeat_at = now() - interval '31 seconds' where id = ${id}`;

async function emptied({ sql }: TestDatabase): Promise<void> {
  const tables = await sql<{ name: string }[]>`
    select tablename as name from pg_tables
    where schemaname = 'public' and tablename <> 'migrations'`;
  await sql.unsafe(`truncate ${tables.map(({ name }) => name)} restart identity cascade`);
}
