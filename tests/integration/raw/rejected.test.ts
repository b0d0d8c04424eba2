import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import type { LetterOrigin } from "../../../lib/domain/letter.ts";
import { parseApiUser } from "../../../lib/domain/user.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openRawStore, type RawStore } from "../../../lib/raw/postgres.ts";
import { openDatabase, type TestDatabase } from "../../stations.ts";
import { until } from "../../until.ts";
import { apiUsers, judgedPage, never } from "../../users.ts";

setDefaultTimeout(180_000);

let database: TestDatabase;
let store: RawStore;
beforeAll(async () => {
  database = await openDatabase();
  store = await openRawStore(database.config, { log, signal: never });
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await database.sql`
    truncate runs, run_attempts, run_logs, raw_users, outbox, rejected_users, settled_letters restart identity cascade`;
});

/** A run with these payloads, and the raw rows of those that are no users. */
async function receive(payloads: readonly unknown[]) {
  const { id } = await store.runs.create({ trigger: "manual", results: payloads.length, nat: [] });
  const run = await store.runs.claim("test", id);
  if (!run) throw new Error("no run");
  await store.runs.commitPage(run, judgedPage(payloads));
  return id;
}

const rejected = async () => (await Array.fromAsync(store.rejected.list())).flat();
const mend = (raw: number, payload: unknown) =>
  database.sql`update raw_users set payload = ${JSON.stringify(payload)}::text::json where id = ${raw}`;
const waiting = async () =>
  (await database.sql<{ raw: number }[]>`select raw_id as raw from outbox order by 1`).map(
    ({ raw }) => raw,
  );

describe("a rejected row", () => {
  test("is listed with its run, stage, reason and time, page by page", async () => {
    const run = await receive([
      ...apiUsers(1),
      ...Array.from({ length: 1001 }, () => ({ login: 1 })),
    ]);
    const all = await rejected();
    expect(all).toHaveLength(1001);
    expect(all[0]).toEqual({
      ...{ raw: 2, run, stage: "fetch", path: "gender", attempts: 1, state: "open" },
      ...{ reason: expect.any(String), atMs: expect.any(Number) },
    });
    expect(new Set(all.map(({ raw }) => raw)).size).toBe(1001);
  });

  test("that is a user now waits for the topic, counts as accepted and has its id", async () => {
    const [user, other] = apiUsers(2);
    const run = await receive([user, { ...other, email: 5 }]);
    await store.outbox.take(10, async () => []);
    await mend(2, other);
    expect(await store.rejected.replay([2, 1, 77], parseApiUser)).toEqual({
      accepted: 1,
      refused: 0,
    });
    expect(await waiting()).toEqual([2]);
    expect(await rejected()).toEqual([]);
    expect(await store.runs.get(run)).toMatchObject({ accepted: 2, rejected: 0, published: 1 });
    const [row] = await database.sql`select user_id from raw_users where id = 2`;
    expect(row).toEqual({ user_id: other?.login.uuid });
  });

  test("that is none now either has failed once more, for the reason it has now", async () => {
    const [user] = apiUsers(1);
    const run = await receive([{ ...user, email: 5 }]);
    await mend(1, { ...user, phone: "\ud800" });
    expect(await store.rejected.replay([1], parseApiUser)).toEqual({ accepted: 0, refused: 1 });
    expect(await rejected()).toMatchObject([{ raw: 1, attempts: 2, path: "phone" }]);
    expect(await waiting()).toEqual([]);
    expect(await store.runs.get(run)).toMatchObject({ accepted: 0, rejected: 1 });
  });

  test("of a dry run is judged, and left as it is", async () => {
    const [user, other] = apiUsers(2);
    await receive([
      { ...user, email: 5 },
      { ...other, email: 5 },
    ]);
    await mend(1, user);
    const before = await rejected();
    const judged = await store.rejected.replay([1, 2], parseApiUser, { dryRun: true });
    expect(judged).toEqual({ accepted: 1, refused: 1 });
    expect(await rejected()).toEqual(before);
    expect(await waiting()).toEqual([]);
  });

  test("that two replay at once is accepted once", async () => {
    const all = apiUsers(200);
    const run = await receive(all.map((user) => ({ ...user, email: 5 })));
    for (const [at, user] of all.entries()) await mend(at + 1, user);
    const raws = all.map((_, at) => at + 1);
    // Somebody holds a row until both stand before it.
    const { sql } = database;
    const two = await sql.begin(async (tx) => {
      await tx`select from rejected_users where raw_id = 1 for update`;
      const replays = [1, 2].map(() => store.rejected.replay(raws, parseApiUser));
      const held = async () => {
        const [row] = await sql`
          select count(*) from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`;
        return row?.count === 2;
      };
      await until(held, { what: "both wait" });
      return { replays };
    });
    const judged = await Promise.all(two.replays);
    expect(judged.map(({ accepted }) => accepted).toSorted()).toEqual([0, 200]);
    expect(await waiting()).toHaveLength(200);
    expect(await store.runs.get(run)).toMatchObject({ accepted: 200, rejected: 0 });
  });

  test("that is refused on its way to the topic once more says how often", async () => {
    const [user] = apiUsers(1);
    await receive([{ ...user, email: 5 }]);
    await mend(1, user);
    const refused = [{ index: 0, rejection: { path: "", reason: "record: too large" } }];
    for (const attempts of [2, 3]) {
      await store.rejected.replay([1], parseApiUser);
      await store.outbox.take(10, async () => refused);
      expect(await rejected()).toMatchObject([{ raw: 1, stage: "publish", attempts }]);
    }
  });

  test("that is purged stays one, and is neither replayed nor purged again", async () => {
    const [user] = apiUsers(1);
    await receive([{ ...user, email: 5 }, { login: 1 }]);
    await mend(1, user);
    expect(await store.rejected.purge([1, 2, 3])).toBe(2);
    expect(await store.rejected.purge([1, 2, 3])).toBe(0);
    expect(await rejected()).toMatchObject([{ state: "purged" }, { state: "purged" }]);
    expect(await store.rejected.replay([1, 2], parseApiUser)).toEqual({ accepted: 0, refused: 0 });
    await using ledger = await store.openLedger();
    expect(await ledger.counts()).toEqual({ raw: 2, rejected: 2, pending: 0 });
  });
});

describe("the index of letters", () => {
  const origin = (offset: number, over: Partial<LetterOrigin> = {}): LetterOrigin => ({
    ...{ topic: "users", partition: 3, offset, timestampMs: 1000, attempts: 1, raw: null, ...over },
  });
  const at = (letter: LetterOrigin, atOffset: number, atPartition = 0) => ({
    ...{ ...letter, atPartition, atOffset },
  });
  const places = (...offsets: number[]) => offsets.map((offset) => ({ partition: 0, offset }));

  test("has one letter for each record: the one with the most attempts, and the first of those", async () => {
    await using index = await store.openLetterIndex();
    await index.add([at(origin(5), 0), at(origin(6), 1), at(origin(5), 2)]);
    await index.add([at(origin(6, { attempts: 2 }), 3), at(origin(6, { attempts: 2 }), 4)]);
    await index.add([]);
    expect(await index.states(places(4, 3, 2, 1, 0, 9))).toEqual([
      ...[null, "open", null, null, "open", null],
    ] as const);
  });

  test("remembers what became of letters, up to the attempt it happened at", async () => {
    {
      await using index = await store.openLetterIndex();
      await index.settle([origin(5), origin(6, { attempts: 3 })], "replayed");
      await index.settle([origin(7)], "replayed");
      await index.settle([origin(7)], "purged");
      // An older attempt changes nothing.
      await index.settle([origin(6, { attempts: 2 })], "purged");
    }
    await using index = await store.openLetterIndex();
    const letters = [
      origin(5),
      origin(6, { attempts: 3 }),
      origin(7),
      origin(8),
      origin(5, { timestampMs: 2000 }),
      origin(5, { topic: "others" }),
      origin(9, { attempts: 2 }),
    ];
    await index.settle([origin(9)], "replayed");
    await index.add(letters.map((letter, offset) => at(letter, offset)));
    expect(await index.states(places(0, 1, 2, 3, 4, 5, 6))).toEqual([
      ...["replayed", "replayed", "purged", "open", "open", "open", "open"],
    ] as const);
  });

  test("knows the first open letter of each partition", async () => {
    await using index = await store.openLetterIndex();
    await index.settle([origin(1), origin(3)], "purged");
    await index.add([at(origin(1), 0), at(origin(2), 1), at(origin(3), 0, 1), at(origin(4), 2)]);
    expect(await index.firstOpen()).toEqual(new Map([[0, 1]]));
  });
});
