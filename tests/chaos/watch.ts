import { types } from "cassandra-driver";
import { readConfig } from "../../lib/config.ts";
import { silentLog as log } from "../../lib/log.ts";
import { connect } from "../../lib/raw/client.ts";
import { connect as connectStore } from "../../lib/sink/client.ts";
import { sleep } from "../../lib/sleep.ts";
import { openReader } from "../../lib/topic/reader.ts";
import { lagOf } from "../fixtures/faults/invariant.ts";
import type { Settings } from "../scripts.ts";

/** Looks at the stations, past the links, while they are broken: what cannot be asked is asked again. */
export interface Watch extends AsyncDisposable {
  /** The most records that were on the topic and not consumed. */
  readonly maxLag: number;
  /** Seconds from a record's being received until it was seen in the table: one of each second. */
  readonly ways: readonly number[];
  /**
   * Resolves with the seconds from now until a record that was received after now is in the table;
   * undefined when the watch ends before that.
   */
  flows(): Promise<number | undefined>;
  /** Rows received so far. */
  readonly received: number;
  /** What is left to do; undefined when it cannot be told now. */
  left(): Promise<Left | undefined>;
}

/** Runs that have not ended, rows in the outbox, records that are not consumed. */
export interface Left {
  readonly runs: number;
  readonly outbox: number;
  readonly lag: number;
}

/** How often the stations are looked at. */
const lookMs = 250;
const lagMs = 2000;
/** A record that is not there after this is no longer waited for. */
const staleMs = 600_000;
/** Records waited for at most, and looked up at once, the oldest first. */
const mostCanaries = 2000;
const askedAtOnce = 20;

export async function openWatch(settings: Settings): Promise<Watch> {
  await using opening = new AsyncDisposableStack();
  const config = readConfig(settings);
  const ending = new AbortController();
  const { signal } = ending;
  const sql = connect(config.raw.url);
  opening.defer(() => sql.end({ timeout: 5 }));
  const store = await connectStore(config.sink);
  opening.defer(() => store.shutdown());
  const reader = opening.use(await openReader(config.topic, { log, signal }));
  const state = { maxLag: 0, received: 0 };
  const ways: number[] = [];
  const waiting: { readonly since: number; readonly resolve: (s?: number) => void }[] = [];

  const seen = (canary: Canary) => {
    const now = Date.now();
    ways.push((now - canary.fetchedAt) / 1000);
    for (const each of waiting.filter(({ since }) => since <= canary.fetchedAt)) {
      waiting.splice(waiting.indexOf(each), 1);
      each.resolve((now - each.since) / 1000);
    }
  };
  const followCanaries = async () => {
    let canaries: Canary[] = [];
    while (!signal.aborted) {
      await sleep(lookMs, signal).catch(() => {});
      const last = await newest(sql).catch(() => undefined);
      if (last && last.raw > state.received && canaries.length < mostCanaries) canaries.push(last);
      state.received = Math.max(state.received, last?.raw ?? 0);
      const arrived = await inTable(canaries.slice(0, askedAtOnce)).catch(() => new Set<Canary>());
      for (const canary of arrived) seen(canary);
      const oldest = Date.now() - staleMs;
      canaries = canaries.filter((each) => !arrived.has(each) && each.fetchedAt > oldest);
    }
  };
  const inTable = async (canaries: readonly Canary[]): Promise<ReadonlySet<Canary>> => {
    if (canaries.length === 0) return new Set();
    const { keyspace, table } = config.sink;
    const query = `select id, writetime(first_name) as at from ${keyspace}.${table} where id in ?`;
    const ids = canaries.map(({ id }) => types.Uuid.fromString(id));
    const found = await store.execute(query, [ids], { prepare: true, readTimeout: 3000 });
    const times = new Map(found.rows.map((row) => [String(row.get("id")), Number(row.get("at"))]));
    return new Set(canaries.filter(({ id, version }) => (times.get(id) ?? 0) >= version));
  };
  const followLag = async () => {
    while (!signal.aborted) {
      await sleep(lagMs, signal).catch(() => {});
      const lag = await lagOf(reader, config.topic.name).catch(() => 0);
      state.maxLag = Math.max(state.maxLag, lag);
    }
  };
  const following = [followCanaries(), followLag()];
  opening.defer(async () => {
    ending.abort();
    await Promise.all(following);
    for (const { resolve } of waiting) resolve();
  });
  const owned = opening.move();
  return {
    get maxLag() {
      return state.maxLag;
    },
    get received() {
      return state.received;
    },
    ways,
    flows: () => new Promise((resolve) => waiting.push({ since: Date.now(), resolve })),
    left: async () => {
      const count = async () => {
        const [found] = await sql<Omit<Left, "lag">[]>`
          select (select count(*) from outbox) as outbox,
            (select count(*) from runs where state in ('queued', 'running')) as runs`;
        // In the order in which records go: none can pass unseen.
        return found && { ...found, lag: await lagOf(reader, config.topic.name) };
      };
      return await count().catch(() => undefined);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A record whose arrival in the table is waited for. */
interface Canary {
  readonly raw: number;
  readonly id: string;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

async function newest(sql: ReturnType<typeof connect>): Promise<Canary | undefined> {
  const [found] = await sql<Canary[]>`
    select id as raw, user_id as id, version,
      (extract(epoch from fetched_at) * 1000)::bigint as "fetchedAt"
    from raw_users where user_id is not null order by raw_users.id desc limit 1`;
  return found;
}
