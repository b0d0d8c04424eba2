import { readdir } from "node:fs/promises";
import { type Sql, transaction } from "./client.ts";

/**
 * Applies the migrations that have not been applied, each in a transaction of its own; `patient`
 * does them, which may take long on large tables. Safe to repeat and to race.
 */
export async function migrate(sql: Sql, patient = sql): Promise<readonly string[]> {
  const folder = new URL("migrations/", import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
  const applied: string[] = [];
  const known = await knownMigrations(sql);
  for (const file of files.filter((name) => !known.has(name))) {
    const text = await Bun.file(new URL(file, folder)).text();
    await transaction(patient, async (tx) => {
      // Any fixed number: one migration at a time, whoever else starts.
      await tx`select pg_advisory_xact_lock(7305214)`;
      await tx`create table if not exists migrations (name text primary key, applied_at timestamptz default now())`;
      const done =
        await tx`insert into migrations (name) values (${file}) on conflict do nothing returning name`;
      if (done.length === 0) return;
      await tx.unsafe(text);
      applied.push(file);
    });
  }
  return applied;
}

/** Looked up first, so that an account that may create nothing can work with what is there. */
async function knownMigrations(sql: Sql): Promise<ReadonlySet<string>> {
  const [table] = await sql<{ there: boolean }[]>`
    select to_regclass('migrations') is not null as there`;
  const rows = table?.there ? await sql<{ name: string }[]>`select name from migrations` : [];
  return new Set(rows.map(({ name }) => name));
}
