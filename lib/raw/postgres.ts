import type { Config } from "../config.ts";
import type { AlertQueue } from "../flow/alerts.ts";
import type { LetterIndex, RejectedRows } from "../flow/letters.ts";
import type { OldThings } from "../flow/prune.ts";
import type { Bookings } from "../flow/rate-limit.ts";
import type { TracedStations } from "../flow/trace-user.ts";
import type { Ledger } from "../flow/verify.ts";
import type { RawFigures } from "../flow/watch-pipeline.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { createAlertQueue } from "./alerts.ts";
import { type Backfills, createBackfills } from "./backfills.ts";
import { openListener } from "./bell.ts";
import { createBookings } from "./bookings.ts";
import type { ClaimOptions } from "./claims.ts";
import { asked, type ConnectOptions, connect, patient, shownUrl } from "./client.ts";
import { createEventLog, type EventLog } from "./events.ts";
import { readFigures } from "./figures.ts";
import { createHistory, type KeptHistory } from "./history.ts";
import { latestReceived, type ReceivedUser } from "./latest.ts";
import { openLedger } from "./ledger.ts";
import { openLetterIndex } from "./letters.ts";
import { migrate } from "./migrate.ts";
import { createOutbox, type RawOutbox } from "./outbox.ts";
import { createReceived } from "./received.ts";
import { createRejectedRows } from "./rejected.ts";
import { createKeptRows, type KeptRows } from "./republish.ts";
import { createOldThings } from "./retention.ts";
import { createRunLogs, type RunLogs } from "./run-logs.ts";
import { createRuns, type Runs } from "./runs.ts";
import { createSharedSchedule, type SharedSchedule } from "./schedule.ts";

/** Everything received and everything decided, in PostgreSQL. */
export interface RawStore extends AsyncDisposable {
  readonly runs: Runs;
  readonly logs: RunLogs;
  readonly alerts: AlertQueue;
  /** What may be removed for its age. */
  readonly old: OldThings;
  /** What all instances have asked the API for. */
  readonly bookings: Bookings;
  readonly events: EventLog;
  readonly history: KeptHistory;
  readonly outbox: RawOutbox;
  readonly kept: KeptRows;
  readonly schedule: SharedSchedule;
  readonly backfills: Backfills;
  readonly rejected: RejectedRows;
  /** Each time that a user was received. */
  readonly received: TracedStations["raw"];
  /** How it stands. */
  figures(): Promise<RawFigures>;
  /** Compares what was received with what arrived. */
  openLedger(): Promise<Ledger & AsyncDisposable>;
  /** Remembers what became of dead letters. */
  openLetterIndex(): Promise<LetterIndex & AsyncDisposable>;
  /** As `latestReceived`. */
  latest(options: Parameters<typeof latestReceived>[1]): Promise<readonly ReceivedUser[]>;
  /** A few raw rows, to look at: the newest. */
  sample(count: number): Promise<readonly Record<string, unknown>[]>;
  /** Resolves when PostgreSQL answers a query. */
  ping(): Promise<void>;
}

/** What a call in the middle of its work has to end when the store is closed. */
const closeSeconds = 2;

export interface OpenOptions extends ClaimOptions {
  /** Only looks: creates and changes no schema. */
  readonly readOnly?: boolean;
  /** How long a process that is frozen in a transaction keeps what it holds. */
  readonly idleInTransactionMs?: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Connects and brings the schema up to date; waits for PostgreSQL for as long as it is down. Every
 * call rejects with `timeout` when there is no answer within twelve seconds; only what may take
 * long has an hour.
 */
export async function openRawStore(
  config: Config["raw"],
  {
    log,
    signal,
    readOnly = false,
    silentAfterMs = 30_000,
    alerts = false,
    ...options
  }: OpenOptions,
): Promise<RawStore> {
  await using opening = new AsyncDisposableStack();
  const open = (how: ConnectOptions) => {
    const pool = connect(config.url, how);
    opening.defer(() => pool.end({ timeout: closeSeconds }));
    return pool;
  };
  const [sql, slow] = [open(options), open(patient)];
  await retry(
    () => asked("open", () => (readOnly ? sql`select 1`.then(() => []) : migrate(sql, slow))),
    {
      what: `PostgreSQL at ${shownUrl(config.url)}`,
      hint: "is it running? `bun run servers up` starts a local one; DATABASE_URL names another",
      log,
      signal,
    },
  );
  const listener = opening.use(openListener(config.url));
  const owned = opening.move();
  const schedule = createSharedSchedule(sql, listener.bell("schedule"));
  return {
    runs: createRuns(sql, listener.bell("runs"), { silentAfterMs, alerts }),
    logs: createRunLogs(sql, listener.bell("run_logs")),
    bookings: createBookings(sql),
    old: createOldThings(slow),
    alerts: createAlertQueue(sql, listener.bell("alerts")),
    outbox: createOutbox(sql, listener.bell("outbox")),
    schedule,
    events: createEventLog(sql, listener.bell("events"), { schedule: schedule.get }),
    backfills: createBackfills(sql),
    history: createHistory(sql),
    kept: createKeptRows(sql, slow),
    rejected: createRejectedRows(slow),
    received: createReceived(slow),
    figures: () => readFigures(sql),
    openLedger: () => openLedger(config.url),
    openLetterIndex: () => openLetterIndex(slow, config.url),
    latest: (options) => latestReceived(sql, options),
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
