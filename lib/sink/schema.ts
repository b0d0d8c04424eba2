import type { Client } from "cassandra-driver";
import type { Config } from "../config.ts";
import { User } from "../domain/user.ts";

/** The columns, named as the fields of a user. */
export const columns = Object.keys(User.entries) as readonly (keyof User)[];

/** Creates keyspace and table where they are missing; where both are there, it only looks. */
export async function ensureSchema(client: Client, config: Config["sink"]): Promise<void> {
  if (await tableExists(client, config)) return;
  const text = await Bun.file(new URL("schema.cql", import.meta.url)).text();
  for (const statement of statements(text, config)) await client.execute(statement);
}

export async function tableExists(
  client: Client,
  { keyspace, table }: Pick<Config["sink"], "keyspace" | "table">,
): Promise<boolean> {
  const found = await client.execute(
    "select table_name from system_schema.tables where keyspace_name = ? and table_name = ?",
    [keyspace, table],
    { prepare: true },
  );
  return found.rowLength > 0;
}

/**
 * The statements of `schema.cql` with the configured names, which config has made sure are plain
 * ones.
 */
export function statements(
  text: string,
  { keyspace, table, replication }: Pick<Config["sink"], "keyspace" | "table" | "replication">,
): string[] {
  return text
    .replaceAll(/^--.*$/gm, "")
    .replaceAll("spark_streams", keyspace)
    .replaceAll("created_users", table)
    .replace("'replication_factor': 1", `'replication_factor': ${replication}`)
    .split(";")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
