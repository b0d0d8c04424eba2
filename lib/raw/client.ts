import postgres, { type TransactionSql } from "postgres";
import { type ErrorCode, PipelineError } from "../errors.ts";
import { securedUrl } from "./tls.ts";

/** What all parts of the raw store share: the pool, and its errors in our words. */

export type Sql = ReturnType<typeof connect>;

/** A pool. Whole numbers of 64 bits come as numbers: ours stay below 2^53. */
export function connect(address: string) {
  const { url, ssl } = securedUrl(address);
  return postgres(url, {
    ssl,
    max: 8,
    connect_timeout: 10,
    onnotice: () => {},
    connection: { application_name: "users-pipeline" },
    types: {
      bigint: { to: 20, from: [20], parse: Number, serialize: (value: number) => String(value) },
    },
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
  const connected = () => (lost ? new Promise<never>(() => {}) : Promise.resolve());
  const begun = sql.begin(async (tx) => {
    try {
      return await work(tx, connected);
    } catch (error) {
      // Else the driver rolls back, on the connection that is gone.
      lost ||= isLost(error);
      await connected();
      throw error;
    }
  });
  begun.catch(() => {
    lost = true;
  });
  return (await begun) as T;
}

/** True for errors of the connection, and for those after which the server closes it. */
function isLost(error: unknown): boolean {
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

/** As `asked`, for what is read page by page. */
export async function* askedEach<T>(what: string, pages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* pages;
  } catch (cause) {
    throw inOurWords(what, cause);
  }
}

/** An error of the driver or the server becomes ours; any other is a bug and stays what it is. */
function inOurWords(what: string, cause: unknown): unknown {
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
const sqlState = /^[0-9A-Z]{5}$/;
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
