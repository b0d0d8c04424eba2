import { describe, expect, test } from "bun:test";
import type { RunLogLine } from "../../../../lib/domain/attempt.ts";
import { createTail } from "../../../../lib/http/dashboard/runs/tail.ts";

const line = (attempt: number, line: number): RunLogLine => ({
  ...{ id: `${attempt}.${line}`, run: 1, attempt, line, at: "2026-01-01T00:00:00.000Z" },
  ...{ level: "info", message: "page committed", fields: {} },
});
const ids = (lines: readonly RunLogLine[]) => lines.map(({ id }) => id);

describe("the tail of a log", () => {
  test("takes each line once, and asks on after the last", () => {
    const tail = createTail();
    expect(tail.cursor).toBeUndefined();
    expect(ids(tail.append([line(1, 1), line(1, 2)]))).toEqual(["1.1", "1.2"]);
    expect(ids(tail.append([line(1, 2), line(2, 1)]))).toEqual(["2.1"]);
    expect(tail.cursor).toBe("2.1");
    expect(ids(tail.lines)).toEqual(["1.1", "1.2", "2.1"]);
  });

  test("knows the line that comes next from one that leaves others out", () => {
    const tail = createTail();
    expect(tail.follows(line(1, 1))).toBe(false);
    tail.append([line(1, 1)]);
    expect(tail.follows(line(1, 2))).toBe(true);
    expect(tail.follows(line(1, 1))).toBe(true);
    expect(tail.follows(line(1, 3))).toBe(false);
    // The first attempt may have told more before it ended.
    expect(tail.follows(line(2, 1))).toBe(false);
  });

  test("keeps the newest lines, and counts those it has let go", () => {
    const tail = createTail(2);
    tail.append([line(1, 1), line(1, 2), line(1, 3)]);
    tail.append([line(1, 4)]);
    expect(ids(tail.lines)).toEqual(["1.3", "1.4"]);
    expect(tail.dropped).toBe(2);
  });
});
