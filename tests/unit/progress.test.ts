import { describe, expect, test } from "bun:test";
import { createProgress, progressLine } from "../../lib/progress.ts";

const standing = { label: "ingest", unit: "users", done: 12_000, seconds: 3 };

describe("a line", () => {
  test("says how far it is, how fast, and how long it takes", () => {
    expect(progressLine({ ...standing, total: 20_000 })).toBe(
      "ingest [##############..........] 12,000 of 20,000 users, 4,000/s, 2 s left",
    );
  });

  test("without a total says how far it is and how fast", () => {
    expect(progressLine(standing)).toBe("ingest 12,000 users, 4,000/s");
  });

  test("ends with its note", () => {
    expect(progressLine({ ...standing, note: "waiting" })).toBe(
      "ingest 12,000 users, 4,000/s, waiting",
    );
  });

  test("of nothing done yet promises nothing", () => {
    const line = progressLine({ ...standing, done: 0, seconds: 0, total: 10 });
    expect(line).toBe("ingest [........................] 0 of 10 users, 0/s");
  });

  test("of more than the total has a full bar", () => {
    expect(progressLine({ ...standing, done: 11, seconds: 1, total: 10 })).toContain(
      `[${"#".repeat(24)}]`,
    );
  });
});

describe("progress", () => {
  function start(isTerminal: boolean) {
    let at = 0;
    const lines: string[] = [];
    const write = (text: string) => void lines.push(text);
    const progress = createProgress({
      ...{ label: "x", unit: "y", total: 100, write, isTerminal },
      now: () => at,
    });
    const show = (ms: number, done: number) => {
      at = ms;
      progress.show(done);
    };
    return { progress, show, lines };
  }

  test("of short work shows nothing", () => {
    for (const isTerminal of [true, false]) {
      const { progress, show, lines } = start(isTerminal);
      for (let ms = 0; ms < 2000; ms += 100) show(ms, 1);
      progress[Symbol.dispose]();
      expect(lines).toEqual([]);
    }
  });

  test("on a terminal rewrites one line a few times a second, and takes it away at the end", () => {
    const { progress, show, lines } = start(true);
    for (let ms = 0; ms <= 3000; ms += 50) show(ms, 10);
    expect(lines).toHaveLength(6);
    expect(lines.every((line) => line.startsWith("\r\x1b[Kx ["))).toBe(true);
    progress[Symbol.dispose]();
    expect(lines.at(-1)).toBe("\r\x1b[K");
  });

  test("elsewhere writes a line every ten seconds", () => {
    const { progress, show, lines } = start(false);
    for (let ms = 0; ms <= 30_000; ms += 500) show(ms, 10);
    progress[Symbol.dispose]();
    expect(lines).toHaveLength(3);
    expect(lines.join("")).toMatch(/^(x \[[#.]{24}\] 10 of 100 y, \d+\/s, \d+ s left\n){3}$/);
  });
});
