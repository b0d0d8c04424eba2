import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  columnsIn,
  moved,
  pitchPx,
  rowsInSight,
  rowsOf,
} from "../../../../lib/http/dashboard/runs/squares.ts";

/* Ten columns and 25 squares: rows of 10, 10 and 5. */
const shape = { count: 25, columns: 10 };
const go = (key: string, at: number) =>
  moved(key.replace("Ctrl+", ""), at, shape, { page: 2, ctrl: key.startsWith("Ctrl+") });

describe("in a grid of squares", () => {
  test.each<[string, number, number]>([
    ["ArrowRight", 0, 1],
    ["ArrowRight", 24, 24],
    ["ArrowLeft", 10, 9],
    ["ArrowLeft", 0, 0],
    ["ArrowDown", 3, 13],
    ["ArrowDown", 17, 17],
    ["ArrowUp", 13, 3],
    ["ArrowUp", 3, 3],
    ["Home", 17, 10],
    ["End", 12, 19],
    ["End", 22, 24],
    ["Ctrl+Home", 17, 0],
    ["Ctrl+End", 3, 24],
    ["PageDown", 3, 23],
    ["PageDown", 7, 17],
    ["PageUp", 23, 3],
    ["PageUp", 13, 3],
  ])("%s leads from %d to %d", (key, from, to) => {
    expect(go(key, from)).toBe(to);
  });

  test("other keys lead nowhere", () => {
    expect(go("Enter", 3)).toBeUndefined();
    expect(go("a", 3)).toBeUndefined();
  });

  test("no key leads out of it", () => {
    const keys = ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "Home", "End", "PageDown"];
    const places = fc.integer({ min: 1, max: 500 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        columns: fc.integer({ min: 1, max: 60 }),
        at: fc.integer({ min: 0, max: count - 1 }),
        key: fc.constantFrom(...keys, "PageUp"),
        page: fc.integer({ min: 1, max: 20 }),
        ctrl: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(places, ({ key, at, page, ctrl, ...shape }) => {
        const to = moved(key, at, shape, { page, ctrl }) ?? -1;
        expect(to).toBeGreaterThanOrEqual(0);
        expect(to).toBeLessThan(shape.count);
      }),
    );
  });

  test("rows are made for what is in sight, of ten thousand squares some tens", () => {
    const many = { count: 10_000, columns: 40 };
    expect(rowsOf(many)).toBe(250);
    const [first, end] = rowsInSight(many, { topPx: 100 * pitchPx, heightPx: 10 * pitchPx });
    expect(first).toBeLessThanOrEqual(100);
    expect(end).toBeGreaterThanOrEqual(110);
    expect(end - first).toBeLessThan(20);
    expect(rowsInSight(many, { topPx: 0, heightPx: 0 })[0]).toBe(0);
    expect(rowsInSight(shape, { topPx: 0, heightPx: 1e6 })[1]).toBe(3);
  });

  test("one column is there however narrow it is", () => {
    expect(columnsIn(0)).toBe(1);
    expect(columnsIn(pitchPx * 13 + 5)).toBe(13);
  });
});
