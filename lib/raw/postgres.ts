import postgres from "postgres";
import type { Config } from "../config.ts";
import { type ErrorCode, PipelineError } from "../errors.ts";
import type { Ledger } from "../flow/verify.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { openLedger } from "./ledger.ts";
import { migrate } from "./migrate.ts";
import { createOutbox, type RawOutbox } from "./outbox.ts";
import { createRuns, type Runs } from "./runs.ts";
import { createScheduleStore, type ScheduleStore } from "./schedule.ts";

/** Everything received and everything decided, in PostgreSQL. */
export interface RawStore extends AsyncDisposable {
  readonly runs: Runs;
  readonly outbox: RawOutbox;
  readonly schedule: ScheduleStore;
  /** Compares what was received with what arrived. */
  openLedger(): Promise<Ledger & AsyncDisposable>;
  /** A few raw rows, to look at: the newest. */
  sample(count: number): Promise<readonly Record<string, unknown>[]>;
  /** Resolves when PostgreSQL answers a query. */
  ping(): Promise<void>;
}

export interface OpenOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Connects and brings the schema up to date; waits for PostgreSQL for as long as it is down. */
export async function openRawStore(
  config: Config["raw"],
  { log, signal }: OpenOptions,
): Promise<RawStore> {
  await using opening = new AsyncDisposableStack();
  const sql = connect(config.url);
  opening.defer(() => sql.end({ timeout: 5 }));
  await retry(() => asked("open", () => migrate(sql)), {
    what: `PostgreSQL at ${shownUrl(config.url)}`,
    hint: "is it running? `bun run servers up` starts a local one; DATABASE_URL names another",
    log,
    signal,
  });
  const outbox = opening.use(createOutbox(sql));
  const runs = opening.use(createRuns(sql));
  const owned = opening.move();
  return {
    runs,
    outbox,
    schedule: createScheduleStore(sql),
    openLedger: () => openLedger(sql),
    sample: (count) =>
      asked("read some raw rows", async () => [
        ...(await sql`
          select id, run_id, page, position, version, user_id, payload
          from raw_users order by id desc limit ${count}`),
      ]),
    ping: async () => {
      await asked("ping", () => sql`select 1`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export type Sql = ReturnType<typeof connect>;

/** A pool. Whole numbers of 64 bits come as numbers: ours stay below 2^53. */
export function connect(url: string) {
  return postgres(url, {
    max: 8,
    connect_timeout: 10,
    onnotice: () => {},
    connection: { application_name: "users-pipeline" },
    types: {
      bigint: { to: 20, from: [20], parse: Number, serialize: (value: number) => String(value) },
    },
  });
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
 * SQLSTATE classes that pass or refuse everything alike: 08 connection, 28 password, 3D missing database, 40 conflict
 * with another transaction, 42 missing table or grant, 53 resources, 55 not in state, 57 shutdown, 58 system;
 * 25P03 took a transaction that idled too long. All others concern the one statement.
 */
const passing = /^(08|28|3D|40|42|53|55|57|58|25P03)/;
const sqlState = /^[0-9A-Z]{5}$/;
/** SQLSTATE, the driver's own about the connection, the system's about the socket, and those of TLS. */
const fromDriver =
  /^([0-9A-Z]{5}|CONNECT\w*|SASL\w*|AUTH\w*|E[A-Z]+|CERT\w*|DEPTH\w*|SELF\w*|UNABLE\w*|ERR_(TLS|SSL)\w*)$/;

function codeOf(code: string): ErrorCode {
  if (code === "57014" || code === "CONNECT_TIMEOUT" || code === "ETIMEDOUT") return "timeout";
  return sqlState.test(code) && !passing.test(code) ? "refused" : "unavailable";
}

function codeIn(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
