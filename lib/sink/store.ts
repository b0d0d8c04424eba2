import type { Client } from "cassandra-driver";
import type { Config } from "../config.ts";
import { asked, connect, isLost } from "./client.ts";

/** The store, for as long as it is used: the client of the moment. */
export interface Store extends AsyncDisposable {
  /**
   * Calls the store; what goes wrong is a `PipelineError` that says `what` was asked. Nothing is
   * tried twice.
   */
  ask<T>(what: string, call: (client: Client) => Promise<T>): Promise<T>;
}

/**
 * Connects. A client that has lost every node is replaced at the next call: a new one finds the
 * store under another address too, which the old one does not without losing connections.
 */
export async function openStore(config: Config["sink"], signal: AbortSignal): Promise<Store> {
  let client = await asked("connect", () => connect(config, signal));
  const closing = new AbortController();
  const stopped = AbortSignal.any([signal, closing.signal]);
  let renewing: Promise<void> | undefined;
  const renew = async () => {
    const next = await connect(config, stopped);
    const old = client;
    client = next;
    await old.shutdown();
  };
  return {
    ask: (what, call) =>
      asked(what, async () => {
        if (isLost(client)) {
          renewing ??= renew().finally(() => {
            renewing = undefined;
          });
          await renewing;
        }
        return await call(client);
      }),
    [Symbol.asyncDispose]: () => {
      closing.abort(new Error("the store is closed"));
      return client.shutdown();
    },
  };
}
