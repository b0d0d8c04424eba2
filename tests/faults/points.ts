import { join } from "node:path";
import { openKafkaProxy } from "../kafka-proxy.ts";
import { type RunningScript, startProgram } from "../scripts.ts";
import { until } from "../until.ts";
import { endingWell, type Scene } from "./scene.ts";

/** A moment of a process at which it may die, and how a test gets it there. */
export interface CrashPoint {
  readonly name: string;
  readonly process: "ingest" | "consume";
  /**
   * Starts the process and resolves when it is there, the `time`-th time it could be. Rejects when
   * the stations do not show it there.
   */
  reach(scene: Scene, ways: Ways): Promise<Reached>;
}

/** What else differs from time to time. */
export interface Ways {
  /** From 1: which of several pages, batches or commits. */
  readonly time: number;
  /** The runs that wait to be performed. */
  readonly runs: readonly number[];
  /** Chooses one of several ways to be there. */
  pick<T>(ways: readonly T[]): T;
}

export interface Reached {
  readonly process: RunningScript;
  /** Lets go of what holds it there from outside. */
  release(): Promise<void>;
  /** What had to be opened beside it. */
  readonly others: readonly AsyncDisposable[];
}

export const points: readonly CrashPoint[] = [
  {
    name: "before-fetch",
    process: "ingest",
    reach: async (scene, ways) => {
      const { pages } = scene.api;
      const reached = await paused("ingest", "before-fetch", scene, ways);
      is(scene.api.pages, pages + ways.time - 1, "pages the API has given");
      return reached;
    },
  },
  {
    name: "after-body",
    process: "ingest",
    reach: async (scene, ways) => {
      const { pages } = scene.api;
      const reached = await paused("ingest", "after-body", scene, ways);
      is(scene.api.pages, pages + ways.time, "pages the API has given");
      is(await keptRows(scene, ways.runs[ways.time - 1]), 0, "raw rows of the page");
      return reached;
    },
  },
  { name: "in-transaction", process: "ingest", reach: inTransaction },
  {
    name: "before-produce",
    process: "ingest",
    reach: async (scene, ways) => {
      const reached = await paused("ingest", "before-produce", scene, ways);
      const inHand = await takenFromOutbox(scene);
      atLeastOne(inHand.size, "rows taken from the outbox");
      is((await published(scene)).intersection(inHand).size, 0, "of them on the topic");
      return reached;
    },
  },
  {
    name: "after-ack",
    process: "ingest",
    reach: async (scene, ways) => {
      const reached = await paused("ingest", "after-ack", scene, ways);
      const inHand = await takenFromOutbox(scene);
      atLeastOne(inHand.size, "rows taken from the outbox");
      is((await published(scene)).intersection(inHand).size, inHand.size, "of them on the topic");
      return reached;
    },
  },
  {
    name: "before-decode",
    process: "consume",
    reach: async (scene, ways) => {
      const reached = await paused("consume", "before-decode", scene, ways);
      const { written, records } = await uncommitted(scene);
      atLeastOne(records - written, "uncommitted records that are not written");
      return reached;
    },
  },
  {
    name: "mid-writes",
    process: "consume",
    reach: async (scene, ways) => {
      const reached = await paused("consume", "mid-writes", scene, ways);
      const { written, records } = await uncommitted(scene);
      atLeastOne(written, "uncommitted records that are written");
      atLeastOne(records - written, "uncommitted records that are not written");
      return reached;
    },
  },
  {
    name: "after-writes",
    process: "consume",
    reach: async (scene, ways) => {
      const reached = await paused("consume", "after-writes", scene, ways);
      atLeastOne((await uncommitted(scene)).written, "uncommitted records that are written");
      return reached;
    },
  },
  { name: "during-commit", process: "consume", reach: duringCommit },
  { name: "during-rebalance", process: "consume", reach: duringRebalance },
];

/** A process that pauses by itself. */
async function paused(
  program: "ingest" | "consume",
  point: string,
  { settings }: Pick<Scene, "settings">,
  { time }: Pick<Ways, "time">,
): Promise<Reached> {
  const process = start(program, settings, point, time);
  await process.prints(`at ${point}\n`);
  return { process, release: async () => {}, others: [] };
}

function start(program: string, settings: Scene["settings"], point = "none", time = 1) {
  const path = join(import.meta.dir, `programs/${program}.ts`);
  return startProgram(path, ["--point", point, "--time", String(time)], settings);
}

/**
 * The rows of a page are inserted, and the transaction cannot go on: a trigger, which fires after the
 * insert, waits for a lock that the test holds.
 */
async function inTransaction(scene: Scene, { time, runs }: Ways): Promise<Reached> {
  const run = runs[time - 1] ?? 0;
  await scene.sql.unsafe(triggers);
  const own = await scene.sql.reserve();
  await own`select pg_advisory_lock(${run})`;
  const process = start("ingest", scene.settings);
  await until(async () => {
    const [waiting] = await scene.sql`
      select from pg_locks where locktype = 'advisory' and objid = ${run} and not granted`;
    return waiting !== undefined;
  });
  is(await keptRows(scene, run), 0, "raw rows of the page that others see");
  return {
    process,
    release: async () => {
      await own`select pg_advisory_unlock(${run})`;
      own.release();
    },
    others: [],
  };
}

const triggers = `
  create or replace function wait_for_the_test() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock(new.run_id); return null; end $$;
  create or replace trigger wait_for_the_test after insert on raw_users
    for each row when (new.position = 0) execute function wait_for_the_test()`;

/** The commit is sent and has not arrived, or has been obeyed and the answer has not arrived. */
async function duringCommit(scene: Scene, { time, pick }: Ways): Promise<Reached> {
  const what = pick(["request", "answer"] as const);
  const proxy = await openKafkaProxy(scene.topic.brokers[0] ?? "");
  const settings = { ...scene.settings, KAFKA_BROKERS: proxy.address };
  // Its first commits pass: it pauses when their batches are written.
  const { process } = await paused("consume", "after-writes", { settings }, { time });
  const before = await uncommitted(scene);
  const hold = proxy.hold("offsetCommit", what);
  process.signal("SIGCONT");
  await until(() => hold.holding);
  if (what === "request") atLeastOne((await uncommitted(scene)).written, "uncommitted but written");
  else atLeastOne(before.records - (await uncommitted(scene)).records, "committed records");
  const release = async () => hold.release();
  return { process, release, others: [proxy] };
}

/**
 * A second member joins while the first has half of a batch written, and a step of that, of the one
 * that is to die, has not arrived.
 */
async function duringRebalance(scene: Scene, { time, pick }: Ways): Promise<Reached> {
  const proxy = await openKafkaProxy(scene.topic.brokers[0] ?? "");
  const direct = scene.settings;
  const proxied = { ...direct, KAFKA_BROKERS: proxy.address };
  const dying = pick(["owner", "joiner"] as const);
  // A member's first request to join is only answered with a name for it.
  const api = dying === "owner" ? pick(["joinGroup", "syncGroup"] as const) : "syncGroup";
  const settings = dying === "owner" ? proxied : direct;
  const { process: owner } = await paused("consume", "mid-writes", { settings }, { time });
  const hold = proxy.hold(api, pick(["request", "answer"] as const));
  const joiner = start("consume", dying === "owner" ? direct : proxied);
  await until(() => hold.holding);
  const [process, other] = dying === "owner" ? [owner, joiner] : [joiner, owner];
  return {
    process,
    release: async () => {
      hold.release();
      owner.signal("SIGCONT");
    },
    others: [endingWell(other), proxy],
  };
}

/** Raw rows of a run that are committed. */
async function keptRows({ sql }: Scene, run = 0): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) from raw_users where run_id = ${run}`;
  return row?.count ?? 0;
}

/** Rows of the outbox that a relay holds in its transaction. */
export async function takenFromOutbox({ sql }: Scene): Promise<Set<number>> {
  const all = await sql<{ raw: number }[]>`select raw_id as raw from outbox`;
  const free = await sql<{ raw: number }[]>`
    select raw_id as raw from outbox for update skip locked`;
  return new Set(all.map(({ raw }) => raw)).difference(new Set(free.map(({ raw }) => raw)));
}

/** The raw rows on the topic. */
async function published({ reader, topic }: Scene): Promise<Set<number>> {
  const records = (await Array.fromAsync(reader.read(topic.name))).flat();
  return new Set(records.map(({ headers }) => Number(headers.raw)));
}

/** What lies behind the group's committed offsets, and how much of it the table has already. */
export async function uncommitted({ reader, topic, store, table }: Scene) {
  const from = await reader.committed(topic.name);
  const records = (await Array.fromAsync(reader.read(topic.name, from))).flat();
  const found = await store.execute(`select id, writetime(phone) as at from ${table}`);
  const rows = new Map(found.rows.map((row) => [String(row.get("id")), Number(row.get("at"))]));
  const written = records.filter(({ key, headers }) => {
    return headers.raw && (rows.get(String(key)) ?? 0) >= Number(headers.version);
  });
  return { records: records.length, written: written.length };
}

function is(found: number, expected: number, what: string): void {
  if (found !== expected) throw new Error(`${what}: ${found}, expected ${expected}`);
}

function atLeastOne(found: number, what: string): void {
  if (found < 1) throw new Error(`${what}: ${found}, expected at least one`);
}
