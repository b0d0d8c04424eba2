import { expect, test } from "bun:test";
import { type LetterFilter, type LetterInfo, matches } from "../../../lib/domain/letter-filter.ts";

const letter: LetterInfo = {
  ...{ id: "users/1/7", where: "topic", state: "open", stage: "decode", path: "email" },
  ...{ reason: 'email: "A" is not text', attempts: 1, at: "2026-01-31T12:00:00.000Z" },
  ...{ topic: "users", partition: 1, offset: 7, raw: null, run: null },
};
const row: LetterInfo = {
  ...{ ...letter, id: "raw/7", where: "raw", stage: "fetch" },
  ...{ topic: null, partition: null, offset: null, raw: 7, run: 1 },
};
const at = Date.parse(letter.at);

test.each<[LetterFilter, boolean, boolean]>([
  [{}, true, true],
  [{ ids: ["raw/7", "users/1/8"] }, false, true],
  [{ where: "topic" }, true, false],
  [{ reason: 'EMAIL: "a"' }, true, true],
  [{ reason: "phone" }, false, false],
  [{ stage: "fetch" }, false, true],
  [{ fromMs: at }, true, true],
  [{ fromMs: at + 1 }, false, false],
  [{ toMs: at }, false, false],
  [{ toMs: at + 1 }, true, true],
  [{ partition: 1 }, true, false],
  [{ partition: 0 }, false, false],
  [{ offsets: { first: 7, last: 7 } }, true, false],
  [{ offsets: { first: 8, last: 9 } }, false, false],
  [{ offsets: { first: 0, last: 6 } }, false, false],
  [{ stage: "decode", reason: "phone" }, false, false],
])("%j is true of a letter: %p, of a rejected row: %p", (filter, ofLetter, ofRow) => {
  expect([matches(letter, filter), matches(row, filter)]).toEqual([ofLetter, ofRow]);
});
