import { describe, expect, test } from "bun:test";
import { asciiControls, jsonLine, printable } from "../../lib/printable.ts";

/** What must never reach a terminal as it is. */
const hostile: readonly (readonly [string, string])[] = [
  ["an escape sequence", "\x1b[2J"],
  ["a one-byte control sequence introducer", "\u009b31m"],
  ["a title", "\x1b]0;owned\x07"],
  ["a new line", "a\nforged"],
  ["CRLF", "a\r\nforged"],
  ["NUL", "a\0b"],
  ["DEL", "a\x7fb"],
  ["a right-to-left override", "a\u202eb"],
  ["an isolate", "a\u2066b"],
  ["a line separator", "a\u2028b"],
  ["half a pair", "a\ud800b"],
];

describe("printable", () => {
  test.each(hostile)("shows %s as an escape", (_, text) => {
    expect(printable(text)).toMatch(/^[\x20-\x7e]+$/);
    expect(printable(text)).toContain("\\u");
  });

  test("leaves other text alone, in any script, and what it is told to keep", () => {
    for (const text of ["Łódź", "سلام", "👩‍🚀 ok", "a'b\"c;--\\"]) {
      expect(printable(text)).toBe(text);
    }
    expect(printable("a\nb\tc\r", { keep: "\n\t" })).toBe("a\nb\tc\\u000d");
  });
});

describe("JSON on one line", () => {
  test.each(hostile)("is printable with %s in it, and parses to the same", (_, text) => {
    const line = jsonLine({ [text]: [text] });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line)).toEqual({ [text]: [text] });
  });

  test("keeps the end of a line of a log", () => {
    expect(asciiControls('{"a":"\u009b"}\n')).toBe('{"a":"\\u009b"}\n');
  });
});
