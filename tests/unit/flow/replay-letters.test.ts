import { expect, test } from "bun:test";
import type { LetterIndex, LetterStations, StoredLetter } from "../../../lib/flow/letters.ts";
import { purgeLetters } from "../../../lib/flow/replay-letters.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { never, record } from "../../users.ts";

const letter = (offset: number): StoredLetter => {
  const place = { topic: "users", partition: 0, offset, timestampMs: 0 };
  return {
    origin: { ...place, attempts: 1, raw: null },
    at: { partition: 2, offset: offset + 100, timestampMs: 0 },
    ...{ stage: "decode", path: "dob", reason: "dob: no date", leftOutBytes: null },
    record: record({ ...place, value: {} }),
  };
};

test("purging deletes up to the letters that it knew of, not those that come meanwhile", async () => {
  const letters = [letter(1), letter(2)];
  const known = new Set<number>();
  const index: LetterIndex = {
    add: async (page) => {
      for (const { atOffset } of page) known.add(atOffset);
      letters.push(letter(3));
    },
    states: async (places) => places.map(({ offset }) => (known.has(offset) ? "open" : null)),
    settle: async () => {},
    firstOpen: async () => new Map(),
  };
  const deleted: ReadonlyMap<number, number>[] = [];
  const stations: LetterStations = {
    index,
    topic: {
      read: async function* () {
        yield [...letters];
      },
      deleteBefore: async (offsets) => void deleted.push(offsets),
    },
    rejected: {
      list: async function* () {},
      replay: async () => ({ accepted: 0, refused: 0 }),
      purge: async () => 0,
      payload: async () => undefined,
    },
  };
  const options = { filter: {}, dryRun: false, log, signal: never };
  expect(await purgeLetters(stations, options)).toEqual({ letters: 2, purged: 2 });
  expect(deleted).toEqual([new Map([[2, 103]])]);
});
