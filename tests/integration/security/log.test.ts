import { expect, test } from "bun:test";
import { join } from "node:path";
import { until } from "../../until.ts";

const program = join(import.meta.dir, "../../fixtures/security/logs.ts");
/** What the pretty printer itself writes: nothing but colours. */
const colour = new RegExp(`${"\x1b"}\\[\\d+m`, "g");
const hostile = [
  "\x1b[2J\x1b]0;owned\x07",
  "\u009b31m",
  'a\n{"level":30,"msg":"forged"}\r\n',
  "a\u202eb\u2066c\u2028d",
  "\0\x7f",
  "\ud800",
  "'; drop table runs; --",
];

test("an event is one line of JSON, whatever its fields are, and they come back as they were", async () => {
  const { stderr } = Bun.spawn([process.execPath, program, JSON.stringify(hostile), "[]"], {
    stdin: "ignore",
    stderr: "pipe",
  });
  const lines = (await new Response(stderr).text()).trimEnd().split("\n");
  expect(lines.join("")).toMatch(/^[\x20-\x7e]+$/);
  expect(lines.map((line) => JSON.parse(line).reason)).toEqual(hostile);
  expect(lines.map((line) => JSON.parse(line).nested.list)).toEqual(hostile.map((text) => [text]));
});

test("on a terminal no field moves the cursor or begins a line", async () => {
  const shown = await onTerminal(hostile);
  // The pretty printer's own: colours and ends of lines.
  const rest = shown.replace(colour, "").replaceAll("\r\n", "");
  expect(rest).toMatch(/^[\x20-\x7e]+$/);
  expect(shown).not.toMatch(/^\{"level"/m);
  expect(shown.match(/waiting/g)).toHaveLength(hostile.length);
});

test("secrets are shown nowhere, on a terminal or not", async () => {
  const texts = ["open sesame", 'a "quoted" one', "said: open sesame!"];
  const secrets = ["open sesame", 'a "quoted" one'];
  const args = [JSON.stringify(texts), JSON.stringify(secrets)];
  const { stderr } = Bun.spawn([process.execPath, program, ...args], { stderr: "pipe" });
  const piped = await new Response(stderr).text();
  for (const shown of [piped, await onTerminal(texts, secrets)]) {
    expect(shown).toContain("said: [secret]!");
    expect(shown).not.toMatch(/sesame|quoted/);
  }
});

/** What the program shows on a terminal of its own. */
async function onTerminal(texts: readonly string[], secrets: readonly string[] = []) {
  const decoder = new TextDecoder();
  let shown = "";
  const args = [JSON.stringify(texts), JSON.stringify(secrets)];
  const child = Bun.spawn([process.execPath, program, ...args], {
    terminal: {
      cols: 500,
      data: (_, bytes) => {
        shown += decoder.decode(bytes, { stream: true });
      },
    },
  });
  await child.exited;
  // What is written last may be read after the end.
  await until(() => shown.split("waiting").length > texts.length);
  child.terminal?.close();
  return shown;
}
