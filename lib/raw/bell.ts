import { sleep } from "../sleep.ts";
import type { Sql } from "./client.ts";

/** Rings when PostgreSQL is told that there is something new. */
export interface Bell extends AsyncDisposable {
  /** Resolves at the next ring, at once if it has rung since the last wait, or after a second. */
  wait(signal: AbortSignal): Promise<void>;
}

/** How late something new is noticed when its notification got lost. */
const pollMs = 1000;

/** LISTEN on a channel. A notification is a hint, never the only way to learn of something. */
export function createBell(sql: Sql, channel: string): Bell {
  let rung = false;
  let ring: () => void = () => {};
  const listening = sql
    .listen(channel, () => {
      rung = true;
      ring();
    })
    .catch(() => undefined);
  return {
    wait: async (signal) => {
      const heard = new AbortController();
      ring = () => heard.abort();
      if (!rung) await sleep(pollMs, AbortSignal.any([signal, heard.signal])).catch(() => {});
      rung = false;
      signal.throwIfAborted();
    },
    [Symbol.asyncDispose]: async () => {
      await (await listening)?.unlisten().catch(() => {});
    },
  };
}
