import postgres, { type TransactionSql } from "postgres";
import { type ErrorCode, PipelineError } from "../errors.ts";
import { socketMaker, startupPadding } from "./socket.ts";
import { securedUrl } from "./tls.ts";

/** What all parts of the raw store share: the pool, and its errors in our words. */

export type Sql = ReturnType<typeof connect>;

export interface ConnectOptions {
  readonly connections?: number;
  /** The server ends a statement after this. */
  readonly statementMs?: number;
  /** The server ends a session that holds a transaction and says nothing for this long. */
  readonly idleInTransactionMs?: number;
  /** Told the channel of each notification. */
  readonly onNotify?: (channel: string) => void;
  /** Told that a connection has ended. None is then ended for its age alone, as else after an hour. */
  readonly onEnd?: () => void;
}

/**
 * Far longer than any statement of the services takes, and with all that may follow shorter than a
 * shutdown.
 */
const statementMs = 10_000;
/** What the server's own answer to a late statement may take to get here. */
const graceMs = 2000;
/**
 * Longer than the producer's delivery time-out, so that a delivery is over before its transaction
 * is; a process that is frozen gives back what it holds after this.
 */
const idleInTransactionMs = 60_000;

/** For what may take long and holds up nobody: migrations, counting everything, verify. */
export const patient = { connections: 4, statementMs: 3_600_000, idleInTransactionMs: 3_600_000 };

/**
 * A pool, which connects when it is first used. A call that gets no answer rejects a little after
 * `statementMs`, and its connection is given up. Whole numbers of 64 bits come as numbers: ours stay
 * below 2^53.
 */
export function connect(address: string, options: ConnectOptions = {}) {
  const { url, ssl } = securedUrl(address);
  const given = { connections: 8, statementMs, idleInTransactionMs, ...options };
  // Reads the URL, no more.
  const { host, port, path } = postgres(url).options;
  const untyped = {
    socket: socketMaker({ host, port, path, ssl }, given.statementMs + graceMs),
    onnotify: given.onNotify,
    ...(given.onEnd ? { onclose: given.onEnd, max_lifetime: null } : {}),
  };
  return postgres(url, {
    max: given.connections,
    connect_timeout: 5,
    // The flows wait between their attempts; waiting here as well would hold up healing.
    backoff: () => 0,
    // The socket sees to it.
    ssl: false,
    onnotice: () => {},
    connection: {
      application_name: "users-pipeline",
      statement_timeout: given.statementMs,
      idle_in_transaction_session_timeout: given.idleInTransactionMs,
      // A client that is gone without a word: its session ends, and gives back what it holds.
      tcp_keepalives_idle: 30,
      tcp_keepalives_interval: 10,
      tcp_keepalives_count: 3,
      options: startupPadding,
    },
    types: {
      bigint: { to: 20, from: [20], parse: Number, serialize: (value: number) => String(value) },
    },
    ...untyped,
  });
}

export type Transaction = TransactionSql<{ bigint: number }>;

/**
 * Runs `work` in a transaction. When the connection is lost in the middle this rejects, and `work`
 * stands still for ever at its next step: the driver (3.4.9) would write to a socket that is gone,
 * which ends the process. After waiting for anything else than this transaction, `work` must await
 * `connected`.
 */
export async function transaction<T>(
  sql: Sql,
  work: (tx: Transaction, connected: () => Promise<void>) => Promise<T>,
): Promise<T> {
  let lost = false;
  let reason: unknown;
  const connected = () => (lost ? new Promise<never>(() => {}) : Promise.resolve());
  const begun = sql.begin(async (tx) => {
    try {
      return await work(tx, connected);
    } catch (error) {
      // Else the driver rolls back, on the connection that is gone.
      reason = error;
      lost ||= isLost(error);
      await connected();
      throw error;
    }
  });
  try {
    return (await begun) as T;
  } catch (error) {
    lost = true;
    // That the connection is gone is heard before what the statement has to say of it.
    await new Promise((resolve) => setImmediate(resolve));
    throw reason ?? error;
  }
}

/** True for errors of the connection, and for those after which the server closes it. */
export function isLost(error: unknown): boolean {
  const code = codeIn(error);
  const fatal = error instanceof Error && Reflect.get(error, "severity") === "FATAL";
  return fatal || (fromDriver.test(code) && !sqlState.test(code));
}

/** Calls PostgreSQL and says what went wrong in our words: `what` was asked of it. */
export async function asked<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw inOurWords(what, cause);
  }
}

/** An error of the driver or the server becomes ours; any other is a bug and stays what it is. */
export function inOurWords(what: string, cause: unknown): unknown {
  const code = codeIn(cause);
  if (cause instanceof PipelineError || !fromDriver.test(code)) return cause;
  const message = cause instanceof Error && cause.message !== "" ? cause.message : code;
  return new PipelineError(codeOf(code), `PostgreSQL, ${what}: ${message}`, { cause });
}

/** A database URL as it may stand in a message: without the password. */
export function shownUrl(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname}:${port || 5432}${pathname}`;
}

/**
 * SQLSTATE classes that pass or refuse everything alike: 08 connection, 28 password, 3D missing
 * database, 40 conflict with another transaction, 42 missing table or grant, 53 resources, 55 not
 * in state, 57 shutdown, 58 system; 25P03 took a transaction that idled too long. All others
 * concern the one statement.
 */
const passing = /^(08|28|3D|40|42|53|55|57|58|25P03)/;
/** None begins with E, as the system's errors do: EPIPE. */
const sqlState = /^[0-9A-DF-Z][0-9A-Z]{4}$/;
/**
 * SQLSTATE, the driver's own about the connection, the system's about the socket, and those of TLS.
 */
const fromDriver =
  /^([0-9A-Z]{5}|CONNECT\w*|SASL\w*|AUTH\w*|E[A-Z]+|CERT\w*|DEPTH\w*|SELF\w*|UNABLE\w*|ERR_(TLS|SSL)\w*)$/;

function codeOf(code: string): ErrorCode {
  if (code === "57014" || code === "CONNECT_TIMEOUT" || code === "ETIMEDOUT") return "timeout";
  return sqlState.test(code) && !passing.test(code) ? "refused" : "unavailable";
}

function codeIn(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
