import type { Client } from "cassandra-driver";
import type { Config } from "../config.ts";
import { User } from "../domain/user.ts";
import { PipelineError } from "../errors.ts";

/** The columns, named as the fields of a user. */
export const columns = Object.keys(User.entries) as readonly (keyof User)[];

/** The types the driver writes them as. */
const dates: readonly string[] = ["dob", "registered_date"] satisfies (keyof User)[];
const typeOf = (column: string) =>
  column === "id" ? "uuid" : dates.includes(column) ? "date" : "text";

type Place = Pick<Config["sink"], "keyspace" | "table">;

/**
 * Creates keyspace and table where they are missing; where both are there, it only looks. True when
 * it made the table.
 */
export async function ensureSchema(client: Client, config: Config["sink"]): Promise<boolean> {
  if (await tableExists(client, config)) return false;
  const text = await Bun.file(new URL("schema.cql", import.meta.url)).text();
  for (const statement of statements(text, config)) await client.execute(statement);
  return true;
}

export async function tableExists(client: Client, place: Place): Promise<boolean> {
  return (await tableId(client, place)) !== undefined;
}

/** What tells a table from another one of its name, made after it; undefined when there is none. */
export async function tableId(
  client: Client,
  { keyspace, table }: Place,
): Promise<string | undefined> {
  const found = await client.execute(
    "select id from system_schema.tables where keyspace_name = ? and table_name = ?",
    [keyspace, table],
    { prepare: true },
  );
  return found.first()?.get("id").toString();
}

/**
 * Rejects when the table lacks columns, or has them otherwise, than users need. It refuses every
 * row then: someone has to alter it, and until then it counts as unavailable.
 */
export async function checkColumns(client: Client, { keyspace, table }: Place): Promise<void> {
  const found = await client.execute(
    "select column_name, type, kind from system_schema.columns where keyspace_name = ? and table_name = ?",
    [keyspace, table],
    { prepare: true },
  );
  if (found.rowLength === 0) {
    throw new PipelineError("unavailable", `there is no table ${keyspace}.${table}`);
  }
  const there = new Map(found.rows.map((row) => [String(row.get("column_name")), row]));
  const faults = columns
    .filter((name) => there.get(name)?.get("type") !== typeOf(name))
    .map((name) => {
      const type = there.get(name)?.get("type");
      return `its column ${name} is ${type ?? "missing"}, expected ${typeOf(name)}`;
    });
  const key = found.rows.filter((row) => ["partition_key", "clustering"].includes(row.get("kind")));
  const names = key.map((row) => row.get("column_name")).join(", ");
  if (names !== "id") faults.push(`its primary key is (${names}), expected (id)`);
  if (faults.length === 0) return;
  throw new PipelineError(
    "unavailable",
    `the table ${keyspace}.${table} is not as it should be: ${faults.join("; ")}; alter it, or drop it and it is made anew`,
  );
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
