import type { Client, types } from "cassandra-driver";
import type { Config } from "../../lib/config.ts";
import { parseApiUser, type User } from "../../lib/domain/user.ts";
import type { Verification } from "../../lib/flow/verify.ts";
import { silentLog as log } from "../../lib/log.ts";
import type { Sql } from "../../lib/raw/client.ts";
import { openReader, type Reader } from "../../lib/topic/reader.ts";
import { jsonOf, type Settings } from "../scripts.ts";
import { until } from "../until.ts";
import { never } from "../users.ts";

/** The stations of one pipeline, to look into them. */
export interface Stations {
  readonly settings: Settings;
  readonly sql: Sql;
  readonly topic: Config["topic"];
  readonly store: Client;
  /** With its keyspace. */
  readonly table: string;
}

export interface WithinOptions {
  /** How long the work may take to come to its end. */
  readonly withinMs?: number;
}

/**
 * What holds after every fault. The work comes to its end. Then `verify` is clean, and so is a
 * comparison that shares no code with it:
 * - the row of every valid id equals, field for field, the newest version received of it, and each
 *   of its cells was written as that version; there are no other rows;
 * - everything invalid that was received is rejected, once;
 * - each record of the topic is a version received, or has a dead letter, one by its origin.
 * What others put on the topic (records without the header `raw`) has to be poison.
 */
export async function expectNothingLost(
  stations: Stations,
  options: WithinOptions = {},
): Promise<Verification> {
  await workDone(stations, options);
  const verified = await jsonOf<Verification>("verify", [], stations.settings);
  const wrong = await differences(stations);
  const { pending, onTheWay } = verified;
  if (pending + onTheWay > 0) wrong.push(`verify: ${pending} pending, ${onTheWay} on the way`);
  if (wrong.length > 0) {
    throw new Error(`${wrong.length} differences:\n${wrong.slice(0, 20).join("\n")}`);
  }
  return verified;
}

/** The comparison that shares no code with `verify`, once the work is at its end: what is wrong. */
export async function differences(stations: Stations): Promise<string[]> {
  await using reader = await openReader(stations.topic, { log, signal: never });
  const received = await allReceived(stations.sql);
  return [
    ...wrongRows(received, await allRows(stations)),
    ...(await wrongRejections(received, stations.sql)),
    ...(await wrongRecords(received, reader, stations.topic)),
  ];
}

/** Resolves when all runs have succeeded, the outbox is empty and the group's lag is 0. */
export async function workDone(
  { sql, topic }: Stations,
  { withinMs = 120_000 }: WithinOptions = {},
): Promise<void> {
  await using reader = await openReader(topic, { log, signal: never });
  let left = "";
  const look = async () => {
    const [inStore] = await sql`
      select (select count(*) from runs where state <> 'success') as "runs not succeeded",
        (select count(*) from outbox) as "rows in the outbox"`;
    const counts = { ...inStore, "records of lag": await lagOf(reader, topic.name) };
    const open = Object.entries(counts).filter(([, count]) => count !== 0);
    left = open.map(([what, count]) => `${count} ${what}`).join(", ");
    return left === "";
  };
  await until(look, { timeoutMs: withinMs, everyMs: 50 }).catch((cause) => {
    throw new Error(`the work is not at its end after ${withinMs} ms: ${left}`, { cause });
  });
}

/** How many records of the topic the group has not committed. */
export async function lagOf(reader: Reader, topic: string): Promise<number> {
  const committed = await reader.committed(topic);
  const marks = [...(await reader.watermarks(topic))];
  return marks.reduce((sum, [partition, { low, high }]) => {
    return sum + high - Math.max(low, committed.get(partition) ?? low);
  }, 0);
}

interface Received {
  /** By the number of the raw row: what was received, as a user; null where it is none. */
  readonly byRaw: ReadonlyMap<number, { readonly user: User; readonly version: number } | null>;
  /** By id the newest version. */
  readonly newest: ReadonlyMap<string, { readonly user: User; readonly version: number }>;
}

async function allReceived(sql: Sql): Promise<Received> {
  const byRaw = new Map<number, { user: User; version: number } | null>();
  const newest = new Map<string, { user: User; version: number }>();
  // A page at a time: a statement may take only so long, however much there is.
  for (let last = 0; ; ) {
    const page = await sql<{ id: number; version: number; payload: unknown }[]>`
      select id, version, payload from raw_users where id > ${last} order by id limit 2000`;
    if (page.length === 0) break;
    for (const { id, version, payload } of page) {
      const judged = parseApiUser(payload);
      const found = "user" in judged ? { user: judged.user, version } : null;
      byRaw.set(id, found);
      if (found && version > (newest.get(found.user.id)?.version ?? 0)) {
        newest.set(found.user.id, found);
      }
      last = id;
    }
  }
  return { byRaw, newest };
}

const cells = [
  ...["first_name", "last_name", "gender", "address", "email", "username"],
  ...["dob", "registered_date", "phone", "picture"],
];

async function allRows({ store, table }: Stations): Promise<types.Row[]> {
  const times = cells.map((cell) => `writetime(${cell}) as ${cell}_at`);
  const query = `select id, ${[...cells, ...times].join(", ")} from ${table}`;
  return await Array.fromAsync(await store.execute(query, [], { prepare: true }));
}

function wrongRows({ newest }: Received, rows: readonly types.Row[]): string[] {
  const wrong: string[] = [];
  const missing = new Set(newest.keys());
  for (const row of rows) {
    const id = String(row.get("id"));
    missing.delete(id);
    const expected = newest.get(id);
    if (expected === undefined) wrong.push(`row ${id}: was never received`);
    for (const cell of expected ? cells : []) {
      const value = String(row.get(cell));
      const due = String(expected?.user[cell as keyof User]);
      if (value !== due) wrong.push(`row ${id}: ${cell} is ${value}, expected ${due}`);
      const at = Number(row.get(`${cell}_at`));
      if (at !== expected?.version) wrong.push(`row ${id}: ${cell} was written as version ${at}`);
    }
  }
  return [...wrong, ...[...missing].map((id) => `row ${id}: is missing`)];
}

async function wrongRejections({ byRaw }: Received, sql: Sql): Promise<string[]> {
  const rows = await sql<{ raw: number }[]>`select raw_id as raw from rejected_users`;
  const rejected = rows.map(({ raw }) => raw);
  const invalid = [...byRaw].flatMap(([raw, found]) => (found === null ? [raw] : []));
  return different("rejected raw row", rejected, invalid);
}

async function wrongRecords(
  { byRaw }: Received,
  reader: Reader,
  { name, deadLetters }: Config["topic"],
): Promise<string[]> {
  const wrong: string[] = [];
  const poison: string[] = [];
  const published = new Set<number>();
  for await (const records of reader.read(name)) {
    for (const { partition, offset, value, headers } of records) {
      const at = `${name}/${partition}/${offset}`;
      if (headers.raw === undefined) {
        poison.push(at);
        continue;
      }
      const raw = Number(headers.raw);
      published.add(raw);
      const found = byRaw.get(raw);
      const isThatVersion =
        Number(headers.version) === found?.version &&
        Bun.deepEquals(JSON.parse(String(value)), found.user);
      if (!isThatVersion) wrong.push(`record ${at}: is not raw row ${raw}`);
    }
  }
  for (const [raw, found] of byRaw) {
    if (found && !published.has(raw)) wrong.push(`raw row ${raw}: is not on the topic`);
  }
  const letters = new Set<string>();
  for await (const records of reader.read(deadLetters)) {
    for (const { headers } of records) {
      const part = (field: string) => String(headers[`__connect.errors.${field}`]);
      letters.add([part("topic"), part("partition"), part("offset")].join("/"));
    }
  }
  return [...wrong, ...different("dead letter", [...letters], poison)];
}

function different<T>(what: string, found: readonly T[], expected: readonly T[]): string[] {
  const [there, due] = [new Set(found), new Set(expected)];
  return [
    ...[...due.difference(there)].map((each) => `${what} ${each}: is missing`),
    ...[...there.difference(due)].map((each) => `${what} ${each}: should not be`),
    ...(there.size < found.length ? [`${what}s: ${found.length - there.size} twice`] : []),
  ];
}
