import { describe, expect, test } from "bun:test";
import { createProgress, overProgress, progressLine, screenOf } from "../../lib/progress.ts";

const standing = { label: "ingest", unit: "users", done: 12_000, perSecond: 4000 };

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
    const bar = "ingest [........................] 0 of 10 users";
    const nothing = { ...standing, done: 0, total: 10 };
    expect(progressLine({ ...nothing, perSecond: undefined })).toBe(bar);
    expect(progressLine({ ...nothing, perSecond: 0 })).toBe(`${bar}, 0/s`);
  });

  test("of more than the total has a full bar", () => {
    expect(progressLine({ ...standing, done: 11, total: 10 })).toContain(`[${"#".repeat(24)}]`);
  });

  test("says that the total is an estimate", () => {
    expect(progressLine({ ...standing, total: 20_000, isAbout: true })).toContain(
      "12,000 of about 20,000 users",
    );
  });

  test.each([
    [59, "59 s left"],
    [61, "1 min 1 s left"],
    [3599, "59 min 59 s left"],
    [7_320, "2 h 2 min left"],
    [3_600_000, "1,000 h 0 min left"],
  ])("of %d seconds more says %s", (seconds, text) => {
    const line = progressLine({ ...standing, done: 0, total: seconds, perSecond: 1 });
    expect(line.split(", ").slice(2).join(", ")).toBe(text);
  });

  test("has colours where they are wanted, and else none", () => {
    const half = { ...standing, done: 1, total: 2 };
    const [full, rest] = ["#".repeat(12), ".".repeat(12)];
    expect(progressLine({ ...half, colours: true })).toContain(
      `[\x1b[32m${full}\x1b[0m\x1b[2m${rest}\x1b[0m]`,
    );
    expect(progressLine(half)).not.toContain("\x1b");
  });
});

describe("a screen", () => {
  const terminal = { isTTY: true, quiet: false };

  test("has colours on a terminal, unless NO_COLOR says otherwise", () => {
    expect(screenOf({}, terminal)).toMatchObject({ isTerminal: true, colours: true });
    expect(screenOf({ NO_COLOR: "" }, terminal)).toMatchObject({ colours: true });
    expect(screenOf({ NO_COLOR: "1" }, terminal)).toMatchObject({
      ...{ isTerminal: true, colours: false },
    });
    expect(screenOf({}, { ...terminal, isTTY: false })).toMatchObject({ colours: false });
  });

  test("that cannot write over a line is none", () => {
    expect(screenOf({ TERM: "dumb" }, terminal)).toMatchObject({
      ...{ isTerminal: false, colours: false },
    });
  });
});

describe("progress", () => {
  function start(isTerminal: boolean, { quiet = false, onTerminalOnly = false } = {}) {
    let at = 0;
    const lines: string[] = [];
    const write = (text: string) => void lines.push(text);
    const progress = createProgress({
      ...{ label: "x", unit: "y", total: 100, onTerminalOnly, write },
      screen: { isTerminal, colours: false, quiet },
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

  test("gives way to a line of the log once, and only where it stands", () => {
    const { progress, show } = start(true);
    expect(overProgress()).toBe("");
    for (let ms = 0; ms <= 3000; ms += 500) show(ms, 10);
    expect([overProgress(), overProgress()]).toEqual(["\r\x1b[K", ""]);
    show(4000, 20);
    progress[Symbol.dispose]();
    expect(overProgress()).toBe("");
    const elsewhere = start(false);
    for (let ms = 0; ms <= 30_000; ms += 500) elsewhere.show(ms, 10);
    expect(overProgress()).toBe("");
  });

  test("elsewhere writes a line every ten seconds", () => {
    const { progress, show, lines } = start(false);
    for (let ms = 0; ms <= 30_000; ms += 500) show(ms, ms / 1000);
    progress[Symbol.dispose]();
    expect(lines).toHaveLength(3);
    expect(lines.join("")).toMatch(/^(x \[[#.]{24}\] \d+ of 100 y, 1\/s, 1 min \d+ s left\n){3}$/);
  });

  test("is not shown to who wants quiet, nor among the lines of a log", () => {
    for (const quietly of [
      start(true, { quiet: true }),
      start(false, { quiet: true }),
      start(false, { onTerminalOnly: true }),
    ]) {
      for (let ms = 0; ms <= 30_000; ms += 500) quietly.show(ms, 10);
      quietly.progress[Symbol.dispose]();
      expect(quietly.lines).toEqual([]);
      expect(quietly.progress.lookMs).toBeUndefined();
    }
    expect(start(true, { onTerminalOnly: true }).progress.lookMs).toBe(1000);
    expect(start(false).progress.lookMs).toBe(10_000);
  });

  test("has the rate of the last ten seconds, and begins anew where the count does", () => {
    const { progress, show, lines } = start(true);
    for (let ms = 0; ms <= 20_000; ms += 1000) show(ms, ms / 10);
    expect(lines.at(-1)).toContain("2,000 of 100 y, 100/s");
    for (let ms = 21_000; ms <= 40_000; ms += 1000) show(ms, 2000 + (ms - 20_000));
    expect(lines.at(-1)).toContain("22,000 of 100 y, 1,000/s");
    progress.expect(50, "about");
    show(41_000, 0);
    expect(lines.at(-1)).toEndWith("0 of about 50 y");
    show(42_000, 5);
    expect(lines.at(-1)).toEndWith("5 of about 50 y, 5/s, 9 s left");
  });
});
