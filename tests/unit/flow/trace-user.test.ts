import { describe, expect, test } from "bun:test";
import type { ReceivedRecord, VersionedUser } from "../../../lib/domain/event.ts";
import { replayHeaders } from "../../../lib/domain/letter.ts";
import type { ReceivedUser, UserTrace } from "../../../lib/domain/user-way.ts";
import type { StoredLetter } from "../../../lib/flow/letters.ts";
import { type SettledLetter, traceUser, type Where } from "../../../lib/flow/trace-user.ts";
import { traceText } from "../../../lib/trace-text.ts";
import { failureOf } from "../../failure.ts";
import { never, record, users } from "../../users.ts";

const [user] = users(1, "trace");
if (!user) throw new Error("no user");
const { id } = user;
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const noon = Date.parse("2026-01-31T12:00:00Z");
const version = noon * 1000 + 3;

const received = (over: Partial<ReceivedUser> = {}): ReceivedUser => ({
  ...{ raw: 42, version, receivedAt: "2026-01-31T12:00:00.000Z", page: 2, position: 3, run: 7 },
  ...{ trigger: "manual", runState: "success", traceId, attempt: 1, waiting: false },
  ...{ rejection: null, ...over },
});
const published = (offset: number, headers: Record<string, string> = {}) =>
  record({
    ...{ partition: 1, offset, key: id, timestampMs: noon + 1000 },
    headers: { raw: "42", traceparent: `00-${traceId}-00f067aa0ba902b7-01`, ...headers },
  });
const place = { topic: "users_created", partition: 1, offset: 5, timestampMs: noon + 1000 };
const letter = (attempts = 1): StoredLetter => ({
  origin: { ...place, attempts, raw: 42 },
  at: { partition: 0, offset: 9, timestampMs: noon + 2000 },
  ...{ stage: "write", path: "", reason: "refused:\u001b[2J it", leftOutBytes: null },
  record: published(5),
});

interface Known {
  readonly received?: readonly ReceivedUser[];
  readonly records?: readonly ReceivedRecord[];
  /** Records in partitions that are not the key's. */
  readonly elsewhere?: readonly ReceivedRecord[];
  readonly letters?: readonly StoredLetter[];
  readonly settled?: readonly SettledLetter[];
  readonly row?: VersionedUser;
  /** What the group has committed in partition 1. */
  readonly committed?: number;
}

/** Traces the user where this is what the stations know; and how far they were looked into. */
async function traced({ records = [], elsewhere = [], letters = [], ...known }: Known) {
  const looked: Where[] = [];
  const found = await traceUser(
    id,
    {
      raw: {
        received: async () => known.received ?? [],
        settled: async (raws) => (known.settled ?? []).filter(({ raw }) => raws.includes(raw ?? 0)),
      },
      topic: {
        records: async function* (_, where) {
          looked.push(where);
          yield [];
          yield records;
          if (where.everywhere) yield elsewhere;
        },
        letters: async function* () {
          yield letters;
        },
        committed: async () => new Map([[1, known.committed ?? 0]]),
      },
      table: { find: async () => (known.row ? [known.row] : []) },
    },
    { signal: never },
  );
  return { found, looked };
}

const stateOf = async (known: Known) => (await traced(known)).found?.state;
const row = (version: number) => ({ user: user as NonNullable<typeof user>, version });

describe("a user", () => {
  test("of whom nothing is known is undefined, having been looked for everywhere", async () => {
    const { found, looked } = await traced({});
    expect(found).toBeUndefined();
    expect(looked).toEqual([
      { fromMs: undefined, everywhere: false },
      { fromMs: undefined, everywhere: true },
    ]);
  });

  test("in the table has its run, attempt, raw row, place, trace and write time", async () => {
    const known = { received: [received()], records: [published(5)], committed: 6 };
    const { found, looked } = await traced({ ...known, row: row(version) });
    expect(found).toEqual({
      ...{ id, state: "inTable", others: [], otherLetters: [] },
      table: { version, writeTime: "2026-01-31T12:00:00.000Z" },
      received: [
        {
          ...received(),
          ...{ state: "inTable", letter: null },
          records: [
            {
              ...{ partition: 1, offset: 5, at: "2026-01-31T12:00:01.000Z", consumed: true },
              ...{ replayed: false, traceId },
            },
          ],
        },
      ],
    });
    expect(looked).toEqual([{ fromMs: noon, everywhere: false }]);
  });

  test.each<[UserTrace["state"], Known]>([
    ["waiting", { received: [received({ waiting: true })] }],
    ["waiting", { received: [received({ waiting: true })], records: [published(5)], committed: 6 }],
    ["onTopic", { received: [received()], records: [published(5)], committed: 5 }],
    ["onTopic", { received: [received()], records: [published(5)], row: row(version - 1) }],
    ["missing", { received: [received()], records: [published(5)], committed: 6 }],
    ["missing", { received: [received()] }],
    ["missing", { received: [received()], records: [published(5)], committed: 6, row: row(1) }],
    ["superseded", { received: [received()], row: row(version + 1) }],
    ["foreign", { row: row(version) }],
    ["foreign", { records: [published(5, { raw: "41" })] }],
  ])("is %s", async (state, known) => {
    expect(await stateOf(known)).toBe(state);
  });

  test("that was rejected is so, whatever stands in the table", async () => {
    const at = "2026-01-31T12:00:00.000Z";
    const rejection = { stage: "fetch", path: "email", reason: "email: 5", at, purged: false };
    const known = { received: [received({ rejection })], row: row(version - 1) };
    expect(await stateOf(known)).toBe("rejected");
  });

  test("that is missing is looked for in all partitions before that is said", async () => {
    const known = { received: [received()], elsewhere: [published(5)] };
    const { found, looked } = await traced(known);
    expect(found?.state).toBe("onTopic");
    expect(looked.map(({ everywhere }) => everywhere)).toEqual([false, true]);
  });

  test("received twice has each time what became of it", async () => {
    const newer = received({ raw: 43, version: version + 10, waiting: true });
    const known = { received: [newer, received()], records: [published(5)], committed: 6 };
    const { found } = await traced({ ...known, row: row(version) });
    expect(found?.state).toBe("waiting");
    expect(found?.received.map(({ state, records }) => [state, records.length])).toEqual([
      ["waiting", 0],
      ["inTable", 1],
    ]);
  });

  test("is looked for from when it was first received, or written", async () => {
    const at = (receivedAt: string) => received({ receivedAt });
    const times = [at("2026-01-31T12:00:05.000Z"), at("2026-01-31T12:00:02.000Z")];
    const { looked } = await traced({ received: times, row: row((noon + 1000) * 1000) });
    expect(looked[0]?.fromMs).toBe(noon + 1000);
  });
});

describe("a dead letter", () => {
  const dead = { received: [received()], records: [published(5)], letters: [letter()] };
  const settled = (outcome: SettledLetter["outcome"], attempts = 1) => [
    { ...place, attempts, raw: 42, outcome },
  ];

  test("is told with its reason", async () => {
    const { found } = await traced({ ...dead, committed: 6 });
    expect(found?.state).toBe("deadLetter");
    expect(found?.received[0]?.letter).toEqual({
      ...{ id: "users_created/1/5", state: "open", at: "2026-01-31T12:00:02.000Z", attempts: 1 },
      ...{ stage: "write", reason: "refused:\u001b[2J it" },
    });
  });

  test("that is replayed is on the topic until it is consumed, and a letter again if it fails", async () => {
    const again = published(8, { [replayHeaders.origin]: "users_created/1/5" });
    const records = [published(5), again];
    const replayed = { ...dead, records, settled: settled("replayed") };
    const { found } = await traced({ ...replayed, committed: 6 });
    expect(found?.state).toBe("onTopic");
    expect(found?.received[0]?.records.map((each) => each.replayed)).toEqual([false, true]);
    expect(found?.received[0]?.letter?.state).toBe("replayed");
    expect(await stateOf({ ...replayed, committed: 9, row: row(version) })).toBe("inTable");
    expect(await stateOf({ ...replayed, committed: 9 })).toBe("missing");
    const failed = { ...replayed, letters: [letter(), letter(2)], committed: 9 };
    expect(await stateOf(failed)).toBe("deadLetter");
    expect((await traced(failed)).found?.received[0]?.letter?.attempts).toBe(2);
  });

  test("that was purged is told, also when the letter is gone", async () => {
    const purged = { ...dead, settled: settled("purged"), committed: 6 };
    expect(await stateOf(purged)).toBe("purged");
    const { found } = await traced({ ...purged, letters: [] });
    expect(found?.state).toBe("purged");
    expect(found?.received[0]?.letter).toEqual({
      ...{ id: "users_created/1/5", state: "purged", at: null, stage: null, reason: null },
      attempts: 1,
    });
  });

  test("of another producer's record is told apart", async () => {
    const foreign = { ...letter(), origin: { ...letter().origin, raw: null } };
    const { found } = await traced({ letters: [foreign], records: [record({ key: id })] });
    expect(found).toMatchObject({ state: "foreign", received: [], others: [{ traceId: null }] });
    expect(found?.otherLetters).toMatchObject([{ id: "users_created/1/5", state: "open" }]);
  });
});

test("looking ends with the signal's reason", async () => {
  const stop = new AbortController();
  stop.abort(new DOMException("stopped", "AbortError"));
  const page = async function* () {
    yield [];
  };
  const stations = {
    raw: { received: async () => [], settled: async () => [] },
    topic: { records: page, letters: page, committed: async () => new Map() },
    table: { find: async () => [] },
  };
  const error = await failureOf(traceUser(id, stations, { signal: stop.signal }));
  expect(error.message).toBe("stopped");
});

test("the text says what is where, on one line each, and nothing moves the cursor", async () => {
  const known = { received: [received()], records: [published(5)], letters: [letter()] };
  const { found } = await traced({ ...known, committed: 6 });
  if (!found) throw new Error("nothing");
  expect(traceText(found).split("\n")).toEqual([
    `user ${id}: a dead letter, not in the table`,
    "  table       no row",
    "",
    "received 2026-01-31T12:00:00.000Z: a dead letter, not in the table",
    "  run         7, manual, attempt 1, success",
    `  trace       ${traceId}`,
    `  raw row     42, page 2, position 3, version ${version}`,
    `  topic       partition 1, offset 5, 2026-01-31T12:00:01.000Z, consumed, trace ${traceId}`,
    "  dead letter users_created/1/5, open, 2026-01-31T12:00:02.000Z, stage write, attempt 1: refused:\\u001b[2J it",
    "",
  ]);
});
