import { describe, expect, test } from "bun:test";
import type { ReceivedRecord, VersionedUser } from "../../../lib/domain/event.ts";
import { parseApiUser } from "../../../lib/domain/user.ts";
import { digestOf, isClean, verify } from "../../../lib/flow/verify.ts";
import { createFakeLedger, type RawEntry } from "../../fakes/ledger.ts";
import { apiUsers, record, rows } from "../../users.ts";

interface Stations {
  readonly raws: RawEntry[];
  table: VersionedUser[];
  /** Records of the topic and how many of them the group has consumed. */
  topic: ReceivedRecord[];
  consumed: number;
  deadLetters: ReceivedRecord[];
}

/** So many users that went all the way. */
function arrived(count: number): Stations {
  const raws = apiUsers(count).map((payload, at): RawEntry => {
    const id = userOf(payload).id;
    return { raw: at + 1, id, version: 1000 + at, payload, state: "published" };
  });
  return {
    raws,
    table: raws.map(({ payload, version }) => ({ user: userOf(payload), version })),
    topic: raws.map(({ raw }, offset) => record({ offset, headers: { raw: String(raw) } })),
    consumed: count,
    deadLetters: [],
  };
}

function userOf(payload: unknown) {
  const judged = parseApiUser(payload);
  if ("rejection" in judged) throw new Error(judged.rejection.reason);
  return judged.user;
}

function verified(
  stations: Stations,
  { whileScanning = () => {}, ids = false }: { whileScanning?: () => void; ids?: boolean } = {},
) {
  const { raws } = stations;
  return verify(
    {
      ledger: createFakeLedger(raws),
      table: {
        async *scan() {
          whileScanning();
          yield [...stations.table];
        },
      },
      topic: {
        ...{ name: "users", deadLetters: "users.dlq" },
        records: async () => stations.topic.length,
        committed: async () => new Map([[0, stations.consumed]]),
        async *read(topic, from = new Map()) {
          yield topic === "users"
            ? stations.topic.slice(from.get(0) ?? 0)
            : [...stations.deadLetters];
        },
        letter: ({ partition, offset, headers }) => {
          const raw = headers.raw ? Number(headers.raw) : null;
          return { topic: "users", partition, offset, timestampMs: 0, attempts: 1, raw };
        },
      },
    },
    { ids, signal: new AbortController().signal },
  );
}

const none = { lost: 0, invented: 0, stale: 0 };
const first = <T>(all: readonly T[]): T => {
  const [one] = all;
  if (one === undefined) throw new Error("nothing there");
  return one;
};

describe("stations", () => {
  test("that hold the same are clean, and counted", async () => {
    const found = await verified(arrived(5));
    expect(found).toEqual({
      ...{ raw: 5, rejected: 0, pending: 0, topic: 5, deadLetters: 0, table: 5, onTheWay: 0 },
      ...none,
    });
    expect(isClean(found)).toBe(true);
  });

  test("that hold nothing are clean", async () => {
    expect(isClean(await verified(arrived(0)))).toBe(true);
  });
});

describe("lost", () => {
  test("is an id that was consumed and has no row", async () => {
    const it = arrived(5);
    const gone = it.table.shift();
    const found = await verified(it, { ids: true });
    expect(found).toMatchObject({ ...none, lost: 1, table: 4 });
    expect(found.ids?.lost).toEqual([gone?.user.id ?? ""]);
    expect(isClean(found)).toBe(false);
  });

  test("is not one with a dead letter, nor one still on the way, in the outbox or rejected", async () => {
    const it = arrived(5);
    const [dead, pending, rejected] = it.raws;
    it.deadLetters.push(record({ offset: 0, headers: { raw: String(dead?.raw) } }));
    it.consumed = 4;
    if (pending) it.raws[1] = { ...pending, state: "pending" };
    if (rejected) it.raws[2] = { ...rejected, state: "rejected" };
    const [, , , there] = it.table;
    it.table = there ? [there] : [];
    expect(await verified(it)).toMatchObject({
      ...none,
      ...{ deadLetters: 1, pending: 1, rejected: 1, onTheWay: 1, table: 1 },
    });
  });

  test("is not an id whose newest version is dead, while an older one is the row", async () => {
    const it = arrived(1);
    const newer = { ...first(it.raws), raw: 2, version: 5000 };
    it.raws.push(newer);
    it.deadLetters.push(record({ offset: 1, headers: { raw: "2" } }));
    expect(await verified(it)).toMatchObject({ ...none, deadLetters: 1 });
  });

  test("is not what is received while the table is read", async () => {
    const it = arrived(2);
    const late = { ...first(arrived(1).raws), raw: 9 };
    expect(await verified(it, { whileScanning: () => void it.raws.push(late) })).toMatchObject({
      ...none,
      raw: 2,
    });
  });
});

describe("stale", () => {
  test.each<[string, (row: VersionedUser) => VersionedUser]>([
    ["has another value", ({ user, version }) => ({ user: { ...user, phone: "0" }, version })],
    ["lacks a value", ({ user, version }) => ({ user: { ...user, picture: "" }, version })],
    ["is older", ({ user, version }) => ({ user, version: version - 1 })],
    ["is newer than anything received", ({ user, version }) => ({ user, version: version + 1e9 })],
    [
      "was changed by hand later",
      ({ user }) => ({ user: { ...user, first_name: "X" }, version: 2_000_000_000_000_000 }),
    ],
  ])("is a row that %s", async (_, change) => {
    const it = arrived(3);
    it.table[1] = change(it.table[1] ?? first(it.table));
    const found = await verified(it, { ids: true });
    expect(found).toMatchObject({ ...none, stale: 1 });
    expect(found.ids?.stale).toEqual([it.raws[1]?.id ?? ""]);
  });

  test("is a row of an older version than the newest consumed", async () => {
    const it = arrived(1);
    it.raws.push({ ...first(it.raws), raw: 2, version: 5000 });
    it.topic.push(record({ offset: 1, headers: { raw: "2" } }));
    it.consumed = 2;
    expect(await verified(it)).toMatchObject({ ...none, stale: 1 });
  });

  test("is not a row whose newer version is not consumed yet, whether it is written or not", async () => {
    for (const written of [true, false]) {
      const it = arrived(1);
      const newer = { ...first(it.raws), raw: 2, version: 5000 };
      it.raws.push(newer);
      it.topic.push(record({ offset: 1, headers: { raw: "2" } }));
      if (written) it.table = [{ ...first(it.table), version: 5000 }];
      expect(await verified(it)).toMatchObject({ ...none, onTheWay: 1 });
    }
  });

  test("is not a row written while the table is read, of a version received meanwhile", async () => {
    const it = arrived(1);
    const newer = { ...first(it.raws), raw: 2, version: 5000 };
    const whileScanning = () => {
      it.raws.push(newer);
      it.table = [{ ...first(it.table), version: 5000 }];
    };
    expect(await verified(it, { whileScanning })).toMatchObject(none);
  });
});

describe("invented", () => {
  test("is a row of an id that was never received", async () => {
    const it = arrived(2);
    const foreign = { ...first(rows(1)), version: 1001 };
    it.table.push(foreign);
    const found = await verified(it, { ids: true });
    expect(found).toMatchObject({ ...none, invented: 1, table: 3 });
    expect(found.ids?.invented).toEqual([foreign.user.id]);
  });

  test("is not a row older than all that is kept, nor one received while the table is read", async () => {
    const it = arrived(2);
    const [old, late] = rows(2);
    if (!old || !late) throw new Error("no rows");
    it.table.push({ ...old, version: 999 }, { ...late, version: 2000 });
    const raw = { raw: 9, id: late.user.id, version: 2000, payload: null };
    const whileScanning = () => void it.raws.push({ ...raw, state: "published" });
    expect(await verified(it, { whileScanning })).toMatchObject(none);
  });
});

test("the ids that differ are listed only when asked for, at most a thousand", async () => {
  const it = { ...arrived(1001), table: [] };
  expect((await verified(it)).ids).toBeUndefined();
  const found = await verified(it, { ids: true });
  expect(found).toMatchObject({ ...none, lost: 1001 });
  expect(found.ids?.lost).toHaveLength(1000);
});

test("a digest is the same for equal users, whatever the order of their fields, and another for others", () => {
  const { user } = first(rows(1));
  const reversed = Object.fromEntries(Object.entries(user).reverse()) as typeof user;
  expect(digestOf(reversed)).toBe(digestOf(user));
  const others = Object.keys(user).map((name) => digestOf({ ...user, [name]: "other" }));
  // A value that moves from one field to the next is another user.
  const moved = digestOf({ ...user, first_name: user.last_name, last_name: user.first_name });
  expect(new Set([digestOf(user), moved, ...others]).size).toBe(others.length + 2);
});
