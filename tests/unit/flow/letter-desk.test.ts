import { expect, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import { createLetterDesk, type OpenLetters } from "../../../lib/flow/letter-desk.ts";
import type { LetterIndex, RejectedRow, StoredLetter } from "../../../lib/flow/letters.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { sleep } from "../../../lib/sleep.ts";
import { failureOf } from "../../failure.ts";
import { never, record } from "../../users.ts";

const noon = Date.UTC(2026, 0, 31, 12);

/** A dead letter of this offset, written so many minutes after noon. */
function letter(offset: number, minutes: number): StoredLetter {
  const place = { topic: "users", partition: 0, offset, timestampMs: noon };
  return {
    origin: { ...place, attempts: 1, raw: null },
    at: { partition: 0, offset: offset + 100, timestampMs: noon + minutes * 60_000 },
    ...{ stage: "decode", path: "dob", reason: "dob: no date", leftOutBytes: null },
    record: record({ ...place, value: { dob: "soon" } }),
  };
}

const row = (raw: number, minutes: number): RejectedRow => ({
  ...{ raw, run: 1, stage: "fetch", path: "dob.date", reason: "dob.date: no date", attempts: 1 },
  ...{ atMs: noon + minutes * 60_000, state: "open" },
});

/** Letters in memory, those of the topic in pages of two. */
function stations(letters: readonly StoredLetter[], rows: readonly RejectedRow[]) {
  const did = { open: 0, most: 0, closed: 0 };
  const index: LetterIndex = {
    add: async () => {},
    states: async (places) => places.map(() => "open"),
    settle: async () => {},
    firstOpen: async () => new Map(),
  };
  const open: OpenLetters = async () => {
    did.open += 1;
    did.most = Math.max(did.most, did.open - did.closed);
    return {
      index,
      topic: {
        read: async function* () {
          for (let at = 0; at < letters.length; at += 2) yield letters.slice(at, at + 2);
        },
        deleteBefore: async () => {},
      },
      rejected: {
        list: async function* () {
          yield rows;
        },
        replay: async (raws) => ({ accepted: 0, refused: raws.length }),
        purge: async (raws) => raws.length,
        payload: async (raw) => ({ raw }),
      },
      outbox: { take: async () => 0, wait: async () => {}, waiting: async () => 0 },
      users: { name: "users", send: async () => [] },
      [Symbol.asyncDispose]: async () => {
        did.closed += 1;
      },
    };
  };
  return { open, did };
}

const options = { log, signal: never };
const all = { filter: {}, state: "all" } as const;

test("letters are listed page by page, the newest first, wherever they are", async () => {
  const letters = [letter(1, 10), letter(2, 30), letter(3, 20), letter(4, 20), letter(5, 5)];
  const { open, did } = stations(letters, [row(7, 25), row(8, 20)]);
  const desk = createLetterDesk(open, options);
  const pages: string[][] = [];
  for (let after: { at: string; id: string } | undefined; ; ) {
    const page = await desk.list({ ...all, limit: 3, ...(after ? { after } : {}) });
    expect(page.total).toBe(7);
    pages.push(page.letters.map(({ id }) => id));
    after = page.next;
    if (!after) break;
  }
  expect(pages).toEqual([
    ["users/0/2", "raw/7", "raw/8"],
    ["users/0/3", "users/0/4", "users/0/1"],
    ["users/0/5"],
  ]);
  const exact = await desk.list({ ...all, limit: 7 });
  expect(exact.next).toBeUndefined();
  const some = await desk.list({ filter: { where: "raw" }, state: "open", limit: 3 });
  expect(some).toMatchObject({ total: 2, letters: [{ id: "raw/7" }, { id: "raw/8" }] });
  expect(did.closed).toBe(did.open);
});

test("one letter is shown with its record, and a rejected row as it was received", async () => {
  const desk = createLetterDesk(stations([letter(1, 1)], [row(7, 1)]).open, options);
  expect(await desk.show("users/0/1")).toMatchObject({
    ...{ path: "dob", value: { as: "json", value: { dob: "soon" } } },
    letter: { partition: 0, offset: 101 },
  });
  expect(await desk.show("raw/7")).toMatchObject({ value: { as: "json", value: { raw: 7 } } });
  expect(await desk.show("users/0/9")).toBeUndefined();
});

test("letters are replayed and purged, so many at a time", async () => {
  const { open } = stations([letter(1, 1), letter(2, 2), letter(3, 3)], [row(7, 1)]);
  const desk = createLetterDesk(open, options);
  const request = { filter: {}, limit: 2, dryRun: false };
  expect(await desk.replay(request)).toMatchObject({ letters: 2, replayed: 2 });
  expect(await desk.purge({ ...request, limit: 4 })).toEqual({ letters: 4, purged: 4 });
});

test("one question after the other is asked, and too many at once are refused", async () => {
  const { open, did } = stations([letter(1, 1)], []);
  const desk = createLetterDesk(open, options);
  const ask = () => desk.list({ ...all, limit: 1 });
  const asked = Array.from({ length: 8 }, ask);
  const refused = await failureOf(ask());
  expect(refused).toMatchObject({ code: "unavailable" });
  await Promise.all(asked);
  expect(did).toEqual({ open: 8, closed: 8, most: 1 });
  expect((await ask()).total).toBe(1);
});

test("a question that takes too long is ended, with what is waited for, and the next is answered", async () => {
  const { open } = stations([letter(1, 1)], []);
  const wait = log.waits.begin("Kafka", "nobody there");
  let stuck = true;
  const slow: OpenLetters = async (signal) => {
    if (stuck) await sleep(60_000, signal);
    return await open(signal);
  };
  const desk = createLetterDesk(slow, { ...options, answerMs: 20 });
  const failure = await failureOf(desk.list({ ...all, limit: 1 }));
  expect(failure).toBeInstanceOf(PipelineError);
  expect(failure.message).toBe("letters, no answer within 0.02 s: waiting for Kafka: nobody there");
  wait.over();
  stuck = false;
  expect((await createLetterDesk(slow, options).list({ ...all, limit: 1 })).total).toBe(1);
});
