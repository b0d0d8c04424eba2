import { describe, expect, test } from "bun:test";
import { createBook } from "../../../../lib/http/dashboard/runs/book.ts";
import { aRun } from "../../../runs.ts";

const runs = (...ids: number[]) => ids.map((id) => aRun({ id }));
const bookOf = (ids: number[], most?: number) => {
  const book = createBook(most);
  book.append(runs(...ids));
  return { book, ids: () => book.runs.map(({ id }) => id) };
};

describe("a book of runs", () => {
  test("takes pages below each other, and what comes twice once", () => {
    const { book, ids } = bookOf([9, 8]);
    book.append(runs(8, 7, 5));
    expect(ids()).toEqual([9, 8, 7, 5]);
  });

  test("puts a new run where it belongs", () => {
    const { book, ids } = bookOf([9, 7]);
    expect(book.put(aRun({ id: 10 }), true, false)).toBe("order");
    expect(book.put(aRun({ id: 8 }), true, false)).toBe("order");
    expect(ids()).toEqual([10, 9, 8, 7]);
  });

  test("shows a run as it is now, in its place", () => {
    const { book } = bookOf([9, 7]);
    expect(book.put(aRun({ id: 7, state: "failed" }), true, false)).toBe("run");
    expect(book.runs.map(({ state }) => state)).toEqual(["success", "failed"]);
  });

  test("lets a run go that does not pass any more, and takes in none that does not", () => {
    const { book, ids } = bookOf([9, 7]);
    expect(book.put(aRun({ id: 9 }), false, false)).toBe("order");
    expect(book.put(aRun({ id: 10 }), false, false)).toBe("nothing");
    expect(ids()).toEqual([7]);
  });

  test("takes a run below all others only where nothing is missing between", () => {
    const { book, ids } = bookOf([9, 7]);
    expect(book.put(aRun({ id: 3 }), true, false)).toBe("nothing");
    expect(book.put(aRun({ id: 3 }), true, true)).toBe("order");
    expect(ids()).toEqual([9, 7, 3]);
  });

  test("does not lose what it is told of a run to an answer of before", () => {
    const { book, ids } = bookOf([9, 7]);
    book.expect();
    book.put(aRun({ id: 10, state: "skipped" }), true, false);
    book.put(aRun({ id: 9 }), false, false);
    book.put(aRun({ id: 3 }), true, false);
    book.clear();
    book.append(runs(9, 7, 5), true);
    expect(ids()).toEqual([10, 7, 5, 3]);
    book.clear();
    book.append(runs(9, 7));
    expect(ids()).toEqual([9, 7]);
  });

  test("keeps the newest ones where room is short, and says where the others begin", () => {
    const { book, ids } = bookOf([9, 8, 7], 3);
    expect(book.cut).toBeUndefined();
    book.put(aRun({ id: 10 }), true, false);
    expect(ids()).toEqual([10, 9, 8]);
    expect(book.cut).toBe("8");
  });
});
