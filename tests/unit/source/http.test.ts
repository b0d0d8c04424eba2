import { describe, expect, test } from "bun:test";
import { excerpt, retryAfterMs, shown, wholeText } from "../../../lib/source/http.ts";
import { failureOf } from "../../failure.ts";

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
  expect(excerpt("\u001b[31mred\u0000")).toBe("[31mred");
});

describe("a body", () => {
  const url = new URL("http://localhost/");
  const inPieces = (text: string, size: number) => {
    const bytes = new TextEncoder().encode(text);
    let sent = 0;
    const pull = (body: ReadableStreamDefaultController<Uint8Array>) => {
      if (sent >= bytes.length) body.close();
      else body.enqueue(bytes.slice(sent, sent + size));
      sent += size;
    };
    return new Response(new ReadableStream({ pull }));
  };

  test("is read right however it is cut into pieces", async () => {
    const text = "Ärger, بنیامین, Городоцький, 👩‍👩‍👧‍👦";
    for (const size of [1, 2, 3, 5, 1000]) {
      expect(await wholeText(inPieces(text, size), url, 1000)).toBe(text);
    }
  });

  test("that ends within a character is refused", async () => {
    const cut = new Response(new TextEncoder().encode("é").slice(0, 1));
    expect((await failureOf(wholeText(cut, url, 1000))).message).toContain("not UTF-8");
  });

  test("may be as large as allowed, and not a byte larger", async () => {
    expect(await wholeText(inPieces("é".repeat(50), 7), url, 100)).toHaveLength(50);
    expect((await failureOf(wholeText(inPieces("é".repeat(50), 7), url, 99))).message).toContain(
      "http://localhost/ sent more than 99 bytes",
    );
  });

  test("without anything in it is empty", async () => {
    expect(await wholeText(new Response(null), url, 10)).toBe("");
  });
});
