import { describe, expect, test } from "bun:test";
import type { LetterInfo } from "../../lib/domain/letter-filter.ts";
import {
  createLetterList,
  doneText,
  letterText,
  type ShownBytes,
  shownLetter,
} from "../../lib/letter-text.ts";
import { record } from "../users.ts";

const info: LetterInfo = {
  ...{ id: "users/1/7", where: "topic", state: "open", stage: "decode", path: "" },
  ...{ reason: "no\u001b[2J\nuser", attempts: 2, at: "2026-01-31T12:00:00.000Z" },
  ...{ topic: "users", partition: 1, offset: 7, raw: null, run: null },
};
const shown = (parts: Parameters<typeof record>[0]) =>
  shownLetter(
    {
      info,
      stored: { at: { partition: 0, offset: 3 }, record: record(parts), leftOutBytes: null },
    },
    undefined,
  );

async function listed(json: boolean, pages: readonly (readonly LetterInfo[])[]) {
  let text = "";
  const list = createLetterList(json, async (more) => {
    text += more;
  });
  for (const page of pages) await list.add(page);
  await list.end();
  return text;
}

describe("a list", () => {
  test("is one JSON array, however many pages it has", async () => {
    for (const pages of [[], [[info]], [[info, info], [info]]]) {
      expect(JSON.parse(await listed(true, pages))).toEqual(pages.flat());
    }
  });

  test("is a line each, fit for a terminal", async () => {
    const settled = { ...info, state: "purged", stage: "" } as const;
    expect((await listed(false, [[info], [settled]])).split("\n")).toEqual([
      "users/1/7  2026-01-31T12:00:00.000Z  decode  attempt 2  no\\u001b[2J\\u000auser",
      "users/1/7  2026-01-31T12:00:00.000Z  -  attempt 2  purged  no\\u001b[2J\\u000auser",
      "",
    ]);
    expect(await listed(false, [])).toBe("no letters\n");
  });
});

describe("a letter", () => {
  test.each<[unknown, ShownBytes]>([
    [null, { as: "nothing", value: null }],
    [{ a: 1 }, { as: "json", value: { a: 1 } }],
    [Buffer.from("hello"), { as: "text", value: "hello" }],
    [Buffer.alloc(0), { as: "text", value: "" }],
    [Buffer.of(0xff, 0), { as: "base64", value: "/wA=" }],
  ])("has its value as JSON, text or base64: %p", (value, expected) => {
    expect(shown({ value }).value).toEqual(expected);
  });

  test("is shown whole, and can do nothing to a terminal", () => {
    const headers = { "a\r": "b\u001bc", bytes: Buffer.of(0xff) };
    const text = letterText(shown({ key: "\u0007", value: { a: ["\u009b"] }, headers }));
    expect(text).toContain("letter at    0/3\n");
    expect(text).toContain("recordAt     2023-11-14T22:13:20.000Z\n");
    expect(text).toContain("  a\\u000d: b\\u001bc\n  bytes: base64:/w==\n");
    expect(text).toContain("key, text:\n\\u0007\n");
    expect(text).toContain('"\\u009b"');
    expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  });
});

test("what was done is said in words or as JSON", () => {
  expect(doneText({ letters: 2, purged: 1 }, false, false)).toBe("2 letters, 1 purged\n");
  expect(doneText({ letters: 2 }, true, false)).toBe("2 letters (dry run: nothing is changed)\n");
  expect(JSON.parse(doneText({ letters: 2 }, true, true))).toEqual({ letters: 2, dryRun: true });
});

test("a value that is nested too deep for those who show it is shown as the text it is", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}"]}\\"]"${"]".repeat(levels)}`;
  const as = (levels: number) => shown({ value: Buffer.from(nested(levels)) }).value;
  expect(as(100).as).toBe("json");
  expect(as(101)).toEqual({ as: "text", value: nested(101) });
  expect(as(300_000).as).toBe("text");
  const wide = JSON.stringify(Array.from({ length: 1000 }, () => ({ a: ["[[[{"] })));
  expect(shown({ value: Buffer.from(wide) }).value.as).toBe("json");
});
