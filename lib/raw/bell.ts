import { sleep } from "../sleep.ts";
import { connect } from "./client.ts";

/** Rings when PostgreSQL is told that there is something new. */
export interface Bell {
  /**
   * Resolves at the next ring, at once if it has rung since the last wait, or after a second; or
   * sooner, `withinMs`.
   */
  wait(signal: AbortSignal, withinMs?: number): Promise<void>;
}

/** One connection that hears of several channels. It is made when a bell is first waited for. */
export interface Listener extends AsyncDisposable {
  bell(channel: string): Bell;
}

export interface ListenerOptions {
  /** How late something new is noticed when its notification got lost. */
  readonly pollMs?: number;
}

/**
 * LISTEN, again every second: that does nothing where it is heard already, and is how a lost
 * connection is noticed and made again.
 */
const listenMs = 1000;

/** A notification is a hint, never the only way to learn of something. */
export function openListener(url: string, { pollMs = 1000 }: ListenerOptions = {}): Listener {
  const rings = new Map<string, () => void>();
  const closing = new AbortController();
  const onNotify = (channel: string) => rings.get(channel)?.();
  const sql = connect(url, { connections: 1, onNotify });
  let listening: Promise<void> | undefined;

  async function listen(): Promise<void> {
    while (!closing.signal.aborted) {
      const channels = [...rings.keys()].map((channel) => `listen "${channel}"`);
      // Whoever waits looks for itself meanwhile, and says what is wrong.
      await sql.unsafe(channels.join(";")).catch(() => {});
      await sleep(listenMs, closing.signal).catch(() => {});
    }
  }

  return {
    bell: (channel) => {
      let rung = false;
      let wake: () => void = () => {};
      rings.set(channel, () => {
        rung = true;
        wake();
      });
      return {
        wait: async (signal, withinMs = pollMs) => {
          listening ??= listen();
          const heard = new AbortController();
          wake = () => heard.abort();
          const ms = Math.min(withinMs, pollMs);
          if (!rung) await sleep(ms, AbortSignal.any([signal, heard.signal])).catch(() => {});
          rung = false;
          signal.throwIfAborted();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await sql.end({ timeout: 1 });
      await listening;
    },
  };
}
