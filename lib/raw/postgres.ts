import type { Config } from "../config.ts";
import type { LetterIndex, RejectedRows } from "../flow/letters.ts";
import type { Ledger } from "../flow/verify.ts";
import type { Log } from "../log.ts";
import { retry } from "../retry.ts";
import { asked, connect, shownUrl } from "./client.ts";
import { openLedger } from "./ledger.ts";
import { openLetterIndex } from "./letters.ts";
import { migrate } from "./migrate.ts";
import { createOutbox, type RawOutbox } from "./outbox.ts";
import { createRejectedRows } from "./rejected.ts";
import { createRuns, type Runs } from "./runs.ts";
import { createScheduleStore, type ScheduleStore } from "./schedule.ts";

/** Everything received and everything decided, in PostgreSQL. */
export interface RawStore extends AsyncDisposable {
  readonly runs: Runs;
  readonly outbox: RawOutbox;
  readonly schedule: ScheduleStore;
  readonly rejected: RejectedRows;
  /** Compares what was received with what arrived. */
  openLedger(): Promise<Ledger & AsyncDisposable>;
  /** Remembers what became of dead letters. */
  openLetterIndex(): Promise<LetterIndex & AsyncDisposable>;
  /** A few raw rows, to look at: the newest. */
  sample(count: number): Promise<readonly Record<string, unknown>[]>;
  /** Resolves when PostgreSQL answers a query. */
  ping(): Promise<void>;
}

export interface OpenOptions {
  /** Only looks: creates and changes no schema. */
  readonly readOnly?: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Connects and brings the schema up to date; waits for PostgreSQL for as long as it is down. */
export async function openRawStore(
  config: Config["raw"],
  { log, signal, readOnly = false }: OpenOptions,
): Promise<RawStore> {
  await using opening = new AsyncDisposableStack();
  const sql = connect(config.url);
  opening.defer(() => sql.end({ timeout: 5 }));
  await retry(() => asked("open", () => (readOnly ? sql`select 1`.then(() => []) : migrate(sql))), {
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
    rejected: createRejectedRows(sql),
    openLedger: () => openLedger(sql),
    openLetterIndex: () => openLetterIndex(sql),
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
