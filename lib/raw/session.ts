import { PipelineError } from "../errors.ts";
import { type ConnectOptions, connect, inOurWords, isLost, type Sql } from "./client.ts";

/**
 * One connection, for what lives and dies with it: temporary tables, a snapshot. Once it is lost
 * every call rejects with `unavailable`: there is no going on without what was in it.
 */
export interface Session extends AsyncDisposable {
  /** As `asked`. */
  ask<T>(what: string, call: (sql: Sql) => Promise<T>): Promise<T>;
  /** As `ask`, for what is read page by page. */
  pages<T>(what: string, read: (sql: Sql) => AsyncIterable<T>): AsyncGenerator<T>;
}

/** What a statement in the middle of its work has to end when the session is closed. */
const closeSeconds = 2;

/** Connects; rejects when that fails. */
export async function openSession(url: string, options: ConnectOptions = {}): Promise<Session> {
  let lost = false;
  const sql = connect(url, {
    ...options,
    connections: 1,
    onEnd: () => {
      lost = true;
    },
  });
  const failure = (what: string, cause?: unknown) => {
    lost ||= isLost(cause);
    if (!lost) return inOurWords(what, cause);
    const message = `PostgreSQL, ${what}: the connection was lost, and with it all that was noted so far; run it again`;
    return new PipelineError("unavailable", message, { cause });
  };
  const ask: Session["ask"] = async (what, call) => {
    // A new connection would have nothing of the old one, and of one that is lost between two
    // pages the driver (3.4.9) says that all is read.
    if (lost) throw failure(what);
    try {
      return await call(sql);
    } catch (cause) {
      throw failure(what, cause);
    }
  };
  const close = () => sql.end({ timeout: closeSeconds });
  try {
    await ask("connect", () => sql`select 1`);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ask,
    pages: async function* (what, read) {
      const pages = read(sql)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const page = await ask(what, () => pages.next());
          if (page.done) return;
          yield page.value;
        }
      } finally {
        // Else it would write to a socket that is gone, which ends the process.
        if (!lost) await pages.return?.();
      }
    },
    [Symbol.asyncDispose]: close,
  };
}
