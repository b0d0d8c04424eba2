import type { types } from "cassandra-driver";
import type { Config } from "../config.ts";
import type { VersionedUser } from "../domain/event.ts";
import type { User } from "../domain/user.ts";
import { columns, tableExists } from "./schema.ts";
import type { Store } from "./store.ts";

/** Reads the whole table, of any size, a slice of the token ring at a time. */
export interface Scan {
  /**
   * Every row of the table, if there is one, with its write time, in no particular order, in pages
   * of bounded size.
   */
  scan(): AsyncGenerator<readonly VersionedUser[]>;
  /** The rows of these ids that are there, with their write times; none without a table. */
  find(ids: readonly string[]): Promise<readonly VersionedUser[]>;
  /** A few rows, to look at. */
  sample(count: number): Promise<readonly User[]>;
}

const slices = 64n;
const pageRows = 2000;

export function createScan(store: Store, { keyspace, table }: Config["sink"]): Scan {
  const names = columns.join(", ");
  const rows = `select ${names}, writetime(first_name) as version from ${keyspace}.${table}`;
  const slice = `${rows} where token(id) >= ? and token(id) <= ?`;
  const isThere = () =>
    store.ask("look for the table", (client) => tableExists(client, { keyspace, table }));
  return {
    async *scan() {
      if (!(await isThere())) return;
      for (const [from, to] of ring()) {
        let pageState: string | undefined;
        do {
          const state = pageState;
          const page = await store.ask("read the table", (client) =>
            client.execute(slice, [from, to], {
              prepare: true,
              fetchSize: pageRows,
              ...(state === undefined ? {} : { pageState: state }),
            }),
          );
          yield page.rows.map(versioned);
          pageState = page.pageState || undefined;
        } while (pageState !== undefined);
      }
    },
    find: async (ids) => {
      if (ids.length === 0 || !(await isThere())) return [];
      const found = await store.ask("look up rows", (client) =>
        client.execute(`${rows} where id in ?`, [ids], { prepare: true }),
      );
      return found.rows.map(versioned);
    },
    sample: (count) =>
      store.ask("read some rows", async (client) => {
        const found = await client.execute(
          `select ${names} from ${keyspace}.${table} limit ${count}`,
        );
        return found.rows.map(userOf);
      }),
  };
}

/** The token ring of Murmur3, from -2^63 to 2^63-1, in slices small enough not to time out. */
function* ring(): Generator<readonly [string, string]> {
  const least = -(2n ** 63n);
  const width = 2n ** 64n / slices;
  for (let i = 0n; i < slices; i++) {
    yield [String(least + i * width), String(least + (i + 1n) * width - 1n)];
  }
}

function versioned(row: types.Row): VersionedUser {
  return { user: userOf(row), version: Number(row.get("version")) };
}

/**
 * A row as a user. What was written by others may lack columns: they are null, and so differ from
 * any text.
 */
export function userOf(row: types.Row): User {
  const entries = columns.map((name) => [name, row.get(name)?.toString() ?? null]);
  return Object.fromEntries(entries) as User;
}
