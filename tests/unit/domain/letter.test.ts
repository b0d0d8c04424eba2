import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  originalOf,
  parsePlace,
  placeText,
  replayHeaders,
  replayRecord,
} from "../../../lib/domain/letter.ts";
import { type RecordParts, record } from "../../users.ts";

/** The record as it comes when it is sent again. */
function again(first: ReturnType<typeof record>, attempts: number, parts: RecordParts = {}) {
  const { key, value, headers } = replayRecord({ record: first, attempts });
  return record({ key, value, headers: Object.assign({}, ...headers), ...parts });
}

describe("a replayed record", () => {
  test("is the one it was, of whatever bytes", () => {
    const bytes = fc.uint8Array().map((each) => Buffer.from(each));
    const names = fc.string().filter((name) => !/^(replay\.|__proto__$)/.test(name));
    fc.assert(
      fc.property(
        fc.option(bytes),
        fc.option(bytes),
        fc.dictionary(names, bytes),
        fc.nat(),
        (key, value, headers, timestampMs) => {
          const first = record({ partition: 1, offset: 5, key, value, headers, timestampMs });
          const sent = again(first, 2, { partition: 0, offset: 3, timestampMs: 9 });
          expect(originalOf(sent)).toEqual({ record: first, attempts: 2 });
        },
      ),
    );
  });

  test("that is replayed again keeps its first place", () => {
    const first = record({ partition: 1, offset: 5 });
    const twice = originalOf(again(originalOf(again(first, 1, { offset: 70 })).record, 2));
    expect(twice).toEqual({ record: first, attempts: 2 });
  });

  test("may come from where a letter of another writer lies", () => {
    const foreign = record({ topic: "users_created.dlq", offset: 5 });
    expect(originalOf(again(foreign, 1)).record).toEqual(foreign);
  });
});

describe("a record that claims to be replayed", () => {
  const first = record({ topic: "users_created", partition: 0, offset: 5 });
  test.each<[string, RecordParts]>([
    ["from another topic", { topic: "others", offset: 9 }],
    ["from no place", { offset: 9, headers: { [replayHeaders.origin]: "users_created/0" } }],
  ])("%s counts as itself", (_, parts) => {
    const { headers } = again(first, 1);
    const claiming = record({ ...parts, headers: { ...headers, ...parts.headers } });
    expect(originalOf(claiming)).toEqual({ record: claiming, attempts: 0 });
  });

  test.each<Record<string, string>>([
    { [replayHeaders.attempts]: "0" },
    { [replayHeaders.attempts]: "9999999" },
    { [replayHeaders.attempts]: "x" },
    { [replayHeaders.timestamp]: "" },
  ])("with wrong headers counts as itself: %j", (wrong) => {
    const claiming = record({ offset: 9, headers: { ...again(first, 1).headers, ...wrong } });
    expect(originalOf(claiming)).toEqual({ record: claiming, attempts: 0 });
  });
});

test("a place is read as it was written, and nothing else is", () => {
  const place = { topic: "a.b-c_d", partition: 2, offset: 9_007_199_254_740_991 };
  expect(parsePlace(placeText(place))).toEqual(place);
  const wrong = ["", "a/1", "a/1/2/3", "a/-1/2", "a/1/x", "a b/1/2", "a/9999999999/1", "a/1/1e3"];
  for (const text of [...wrong, "a/1/9007199254740992"]) expect(parsePlace(text)).toBeUndefined();
});
