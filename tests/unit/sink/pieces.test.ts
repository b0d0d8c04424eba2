import { expect, test } from "bun:test";
import fc from "fast-check";
import { pieces, rowsEach } from "../../../lib/sink/pieces.ts";
import { users } from "../../users.ts";

const rows = users(100, "pieces").map((user, version) => ({ user, version }));

test("every row is in one piece, where it says, with rows of the same owners and no more than ten", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99)), fc.integer({ min: 1, max: 7 }), (chosen, nodes) => {
      const given = chosen.flatMap((at) => rows[at] ?? []);
      const owners = (id: string) => String(Number.parseInt(id.slice(0, 4), 16) % nodes);
      const found = pieces(given, { owners, most: 10 });
      expect(found.flatMap(({ indexes }) => indexes).toSorted((a, b) => a - b)).toEqual([
        ...given.keys(),
      ]);
      for (const piece of found) {
        expect(piece.rows).toEqual(piece.indexes.flatMap((at) => given[at] ?? []));
        expect(new Set(piece.rows.map(({ user }) => owners(user.id))).size).toBe(1);
        expect(piece.rows.length).toBeWithin(1, 11);
      }
    }),
  );
});

test("pieces are full but for the last one of each owner", () => {
  const owners = (id: string) => String(Number.parseInt(id.slice(0, 2), 16) % 3);
  const notFull = pieces(rows, { owners, most: 10 }).filter((piece) => piece.rows.length < 10);
  expect(notFull.length).toBeLessThanOrEqual(3);
});

test("rows that are long are fewer to a piece, and one that is too long for any is alone", () => {
  const long = rows.map(({ user, version }, at) => ({
    user: { ...user, address: "x".repeat(at === 5 ? 100_000 : 2000) },
    version,
  }));
  for (const piece of pieces(long.slice(0, 12), { owners: () => "", most: 10 })) {
    if (piece.indexes.includes(5)) expect(piece.rows.length).toBe(1);
    else expect(piece.rows.length).toBeWithin(1, 3);
  }
});

test("a request gets as few rows as use all the requests there may be, and ten at most", () => {
  expect([rowsEach(5, 128), rowsEach(128, 128), rowsEach(129, 128)]).toEqual([1, 1, 2]);
  expect([rowsEach(1000, 128), rowsEach(1000, 20), rowsEach(1000, 0)]).toEqual([8, 10, 10]);
});
