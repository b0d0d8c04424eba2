import { describe, expect, test } from "bun:test";
import { excerpt, retryAfterMs, shown } from "../../../lib/source/http.ts";

describe("Retry-After", () => {
  const noon = Date.parse("2026-11-22T12:00:00Z");
  test.each([
    ["120", 120_000],
    ["0", 0],
    ["Sun, 22 Nov 2026 12:00:30 GMT", 30_000],
    ["Sun, 22 Nov 2026 11:00:00 GMT", 0],
    ["99999999", 3_600_000],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ])("%p is %p ms", (header, ms) => {
    expect(retryAfterMs(header, noon)).toBe(ms);
  });
});

test("an address is shown without user, password and query", () => {
  expect(shown(new URL("https://me:secret@example.com:8443/api/?key=secret#here"))).toBe(
    "https://example.com:8443/api/",
  );
});

test("an excerpt is one short line", () => {
  expect(excerpt("<html>\n\t<h1>Bad\r\n Gateway</h1>")).toBe("<html> <h1>Bad Gateway</h1>");
  expect(excerpt("x".repeat(1000))).toBe(`${"x".repeat(120)}…`);
  expect(excerpt(" \n")).toBe("nothing");
});
