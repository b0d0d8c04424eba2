import { expect, setDefaultTimeout, test } from "bun:test";
import { placeText } from "../../lib/domain/letter.ts";
import type { LetterInfo } from "../../lib/domain/letter-filter.ts";
import type { User } from "../../lib/domain/user.ts";
import type { Verification } from "../../lib/flow/verify.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { silentLog as log } from "../../lib/log.ts";
import { openRawStore } from "../../lib/raw/postgres.ts";
import type { OutgoingRecord } from "../../lib/topic/blocks.ts";
import { openSender } from "../../lib/topic/producer.ts";
import { openReader } from "../../lib/topic/reader.ts";
import { jsonOf, runScript } from "../scripts.ts";
import { openKeyspace, openPipeline } from "../stations.ts";
import { apiUsers, judgedPage, never, users } from "../users.ts";

/** One in a hundred is poison. The long form: TEST_POISON_RECORDS=100000. */
const total = Number(Bun.env.TEST_POISON_RECORDS || 4000);
const poisonous = total / 100;

setDefaultTimeout(300_000 + 10 * total);

/** A kind of record that is no row, made of a user, and the start of the reason it is told with. */
interface Kind {
  readonly reason: string;
  readonly make: (user: User) => Partial<OutgoingRecord>;
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
/** What a record needs besides its value: the topic takes 1,048,588 bytes with all of it. */
const overheadBytes = 500;

const kinds: Readonly<Record<string, Kind>> = {
  "not JSON": { reason: "value: ", make: () => ({ value: Buffer.from("not json") }) },
  "half of JSON": { reason: "value: ", make: (user) => ({ value: json(user).subarray(0, 100) }) },
  "a wrong type": {
    reason: "phone: 5551234 is not text",
    make: (user) => ({ value: json({ ...user, phone: 5551234 }) }),
  },
  "a missing field": {
    reason: "email: is missing",
    make: (user) => ({ value: json({ ...user, email: undefined }) }),
  },
  "a day that never was": {
    reason: 'dob: "1990-02-30"',
    make: (user) => ({ value: json({ ...user, dob: "1990-02-30" }) }),
  },
  "no value": { reason: "value: there is none", make: ({ id }) => ({ key: id, value: null }) },
  "an empty key": { reason: "id: is missing", make: () => ({ key: "", value: json({}) }) },
  "the largest message": {
    reason: "value: ",
    make: () => ({ value: Buffer.alloc(1_048_576 - overheadBytes, "x") }),
  },
  "unknown headers": {
    reason: "value: null is not an object",
    make: () => ({
      value: json(null),
      headers: [{ "a\r\nb: c": "d\r\ne" }, { h: "'); drop table x; --" }, { "": Buffer.of(255) }],
    }),
  },
  "deep nesting": { reason: "id: is missing", make: () => ({ value: Buffer.from(nested) }) },
  "invalid UTF-8": {
    reason: "value: ",
    make: (user) => ({ value: Buffer.concat([json(user), Buffer.of(0xff, 0xfe)]) }),
  },
  "a NUL": {
    reason: "value: ",
    make: (user) => ({ value: Buffer.from(JSON.stringify(user).replace('":"', '":"\0')) }),
  },
  "half a character": {
    reason: 'first_name: "\\ud800" is not well-formed',
    make: (user) => ({ value: json({ ...user, first_name: "\ud800" }) }),
  },
  "a wrong version": {
    reason: 'header version: "soon" is not a number',
    make: (user) => ({ value: json(user), headers: [{ version: "soon" }] }),
  },
  "a version years ahead": {
    reason: 'header version: "4000000000000000" is more than a day ahead',
    make: (user) => ({ value: json(user), headers: [{ version: "4000000000000000" }] }),
  },
  "another format": {
    reason: 'header format: "2" is not "1"',
    make: (user) => ({ value: json(user), headers: [{ format: "2" }] }),
  },
};
const names = Object.keys(kinds);
/** Of those that only the store refuses there are as many as of each other kind. */
const refusedByStore = Math.round(poisonous / (names.length + 1));

/** Poison of all kinds in turn, each with its kind in a header of its own. */
function poison(count: number): OutgoingRecord[] {
  return users(count).map((user, at) => {
    const name = names[at % names.length] ?? "";
    const { key = null, value = null, headers = [] } = kinds[name]?.make(user) ?? {};
    return { key, value, headers: [...headers, { kind: name }] };
  });
}

test(`each of ${poisonous} poison records among ${total} is one dead letter, replayable when mended`, async () => {
  await using keyspace = await openKeyspace();
  await using it = await openPipeline(keyspace, { partitions: 3 });
  await using api = startFakeApi();
  const settings = { ...it.settings, SOURCE_URL: api.url };
  const verify = () => jsonOf<Verification>("verify", [], settings);
  const letters = () => jsonOf<LetterInfo[]>("dlq", ["list"], settings);
  expect((await runScript("migrate", [], settings)).exitCode).toBe(0);
  // A store indexes values of up to 64 kB, and refuses a row with a longer one.
  const [space = "", table = ""] = it.table.split(".");
  await keyspace.client.execute(`create index pictures_${table} on ${it.table} (picture)`);
  await receiveLong(it.database.config, refusedByStore);

  // Poison comes in while the good ones do.
  const strange = poison(poisonous - refusedByStore);
  const good = total - poisonous;
  const once = ["--once", "--results", String(good), "--seed", "poisoned-"];
  await Promise.all([jsonOf("ingest", once, settings), sendAll(it.topic, strange)]);
  const drained = await jsonOf<object>("consume", ["--drain"], settings);
  expect(drained).toMatchObject({ records: total, rows: good, deadLetters: poisonous });

  const expected = await places(it.topic);
  expect(expected.size).toBe(poisonous - refusedByStore);
  const dead = await letters();
  expect(new Set(dead.map(({ id }) => id)).size).toBe(poisonous);
  const wrong = dead.filter(({ id, stage, reason }) => {
    const kind = expected.get(id);
    if (kind === undefined) return stage !== "write" || !reason.includes("pictures_");
    return stage !== "decode" || !reason.startsWith(kinds[kind]?.reason ?? "?");
  });
  expect(wrong).toEqual([]);
  expect(dead.filter(({ stage }) => stage === "write")).toHaveLength(refusedByStore);
  const clean = { lost: 0, invented: 0, stale: 0, onTheWay: 0, pending: 0, rejected: 0 };
  const raw = good + refusedByStore;
  expect(await verify()).toMatchObject({ ...clean, raw, table: good, deadLetters: poisonous });

  await keyspace.client.execute(`drop index ${space}.pictures_${table}`);
  const replayed = await jsonOf<object>("dlq", ["replay", "--all"], settings);
  expect(replayed).toMatchObject({ letters: poisonous, replayed: poisonous, kept: 0 });
  const again = await jsonOf<object>("consume", ["--drain"], settings);
  const left = poisonous - refusedByStore;
  expect(again).toMatchObject({ records: poisonous, rows: refusedByStore, deadLetters: left });
  const still = await letters();
  expect(still.map(({ id }) => id).toSorted()).toEqual([...expected.keys()].toSorted());
  expect(new Set(still.map(({ attempts }) => attempts))).toEqual(new Set([2]));
  expect(await verify()).toMatchObject({ ...clean, raw, table: raw, deadLetters: left });
});

/** Raw rows of users with pictures that no index takes, waiting for the topic. */
async function receiveLong(config: Parameters<typeof openRawStore>[0], count: number) {
  await using raw = await openRawStore(config, { log, signal: never });
  const { id } = await raw.runs.create({ trigger: "manual", results: count, nat: [] });
  const run = await raw.runs.claim("test", id);
  if (!run) throw new Error("no run");
  const medium = `https://example.org/${"x".repeat(70_000)}`;
  const long = apiUsers(count).map((user) => ({ ...user, picture: { ...user.picture, medium } }));
  await raw.runs.commitPage(run, judgedPage(long));
  await raw.runs.finish(run, { outcome: "success" });
}

async function sendAll(
  topic: Parameters<typeof openSender>[0],
  records: readonly OutgoingRecord[],
): Promise<void> {
  await using sender = await openSender(topic, { topic: topic.name, log, signal: never });
  for (let from = 0; from < records.length; from += 20) {
    expect(await sender.send(records.slice(from, from + 20))).toEqual([]);
  }
}

/** Where the poison is on the topic, and of what kind. */
async function places(topic: Parameters<typeof openReader>[0]): Promise<Map<string, string>> {
  await using reader = await openReader(topic, { log, signal: never });
  const found = new Map<string, string>();
  for await (const page of reader.read(topic.name)) {
    for (const record of page) {
      const kind = record.headers.kind?.toString();
      if (kind !== undefined) found.set(placeText(record), kind);
    }
  }
  return found;
}
