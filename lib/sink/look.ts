import type { Config } from "../config.ts";
import type { User } from "../domain/user.ts";
import { PipelineError } from "../errors.ts";
import { userOf } from "./scan.ts";
import { columns, tableExists } from "./schema.ts";
import { openStore, type Store } from "./store.ts";

/** Looks single rows up, for those who show them. */
export interface TableLook extends AsyncDisposable {
  /** The rows of these ids that are there, in no particular order. Rejects while the store is down. */
  rows(ids: readonly string[]): Promise<readonly User[]>;
}

/** Connects when it is first asked; after a failure anew with the next question. */
export function lookIntoTable(config: Config["sink"], signal: AbortSignal): TableLook {
  let opening: Promise<Store> | undefined;
  const { keyspace, table } = config;
  const query = `select ${columns.join(", ")} from ${keyspace}.${table} where id = ?`;
  const open = () => {
    opening ??= openStore(config, signal).catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    rows: async (ids) => {
      const store = await open();
      const read = () =>
        store.ask("look rows up", (client) =>
          Promise.all(ids.map((id) => client.execute(query, [id], { prepare: true }))),
        );
      try {
        return (await read()).flatMap(({ rows }) => rows.map(userOf));
      } catch (error) {
        if (!(error instanceof PipelineError) || error.code !== "refused") throw error;
        const there = await store.ask("look for the table", (client) =>
          tableExists(client, config),
        );
        if (there) throw error;
        return [];
      }
    },
    [Symbol.asyncDispose]: async () => {
      const store = await opening?.catch(() => undefined);
      await store?.[Symbol.asyncDispose]();
    },
  };
}
