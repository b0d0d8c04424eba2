import { describe, expect, test } from "bun:test";
import type { VersionedUser } from "../../lib/domain/event.ts";
import type { Sink } from "../../lib/flow/topic-to-sink.ts";
import { failureOf } from "../failure.ts";
import { never, rows } from "../users.ts";

/** An empty table, and a look at it. */
export interface OpenSink extends AsyncDisposable {
  readonly sink: Sink;
  /** From now on an address of more than 65,535 bytes is refused, as an index on it does. */
  indexAddresses(): Promise<void>;
  /** All rows of the table, in no particular order. */
  rows(): Promise<readonly VersionedUser[]>;
}

/** What every table must do, the fake as well as the real one. */
export function sinkContract(name: string, open: () => Promise<OpenSink>): void {
  const byId = (all: readonly VersionedUser[]) =>
    all.toSorted((a, b) => (a.user.id < b.user.id ? -1 : 1));
  const one = (): VersionedUser => {
    const [row] = rows(1);
    if (!row) throw new Error("no row");
    return row;
  };
  /** The same user at another time, with other values. */
  const later = (row: VersionedUser, by: number): VersionedUser => ({
    user: { ...row.user, first_name: `${row.user.first_name} ${by}`, phone: String(by) },
    version: row.version + by,
  });

  describe(name, () => {
    test("rows are in the table when writing has resolved", async () => {
      await using it = await open();
      const all = rows(50);
      expect(await it.sink.upsert(all, never)).toEqual([]);
      expect(byId(await it.rows())).toEqual(byId(all));
    });

    test("nothing to write is written at once", async () => {
      await using it = await open();
      expect(await it.sink.upsert([], never)).toEqual([]);
      expect(await it.rows()).toEqual([]);
    });

    test("a newer version takes the place of an older one", async () => {
      await using it = await open();
      const row = one();
      await it.sink.upsert([row], never);
      await it.sink.upsert([later(row, 1)], never);
      expect(await it.rows()).toEqual([later(row, 1)]);
    });

    test("an older version written later does not win", async () => {
      await using it = await open();
      const row = one();
      await it.sink.upsert([later(row, 1)], never);
      await it.sink.upsert([row], never);
      expect(await it.rows()).toEqual([later(row, 1)]);
    });

    test("of several versions in one call the newest wins, whatever their order", async () => {
      await using it = await open();
      const row = one();
      const other = one();
      await it.sink.upsert([later(row, 2), later(row, 3), row, later(row, 1), other], never);
      expect(byId(await it.rows())).toEqual(byId([later(row, 3), other]));
    });

    test("a row written again changes nothing", async () => {
      await using it = await open();
      const all = rows(10);
      await it.sink.upsert(all, never);
      await it.sink.upsert(all, never);
      expect(byId(await it.rows())).toEqual(byId(all));
    });

    test("a row that is refused is named, and its neighbours are written", async () => {
      await using it = await open();
      await it.indexAddresses();
      const all = rows(20);
      const bad = one();
      const refused = { ...bad, user: { ...bad.user, address: "x".repeat(65_536) } };
      const found = await it.sink.upsert([...all.slice(0, 9), refused, ...all.slice(9)], never);
      expect(found).toMatchObject([{ index: 9, rejection: { path: "" } }]);
      expect(found[0]?.rejection.reason).toContain("address");
      expect(byId(await it.rows())).toEqual(byId(all));
    });

    test("an aborted signal lets nothing be written, and is the reason", async () => {
      await using it = await open();
      const stopped = new DOMException("stopped", "AbortError");
      expect(await failureOf(it.sink.upsert(rows(20), AbortSignal.abort(stopped)))).toBe(stopped);
      expect(await it.rows()).toEqual([]);
    });

    test("every value comes back as it was written", async () => {
      await using it = await open();
      const base = one();
      const values = [
        "'); drop table created_users; --",
        '"quoted" \\ and \\u0000',
        "a\0b",
        "line\r\nline\ttab",
        "مبینا 😀 é e\u0301 \u202e",
        "",
        " ",
        "null",
        "9".repeat(60_000),
      ];
      const all = values.map((value, at) => ({
        user: { ...base.user, id: crypto.randomUUID(), first_name: value, phone: value },
        version: base.version + at,
      }));
      const days = [
        "0001-01-01",
        "0099-12-31",
        "1899-12-31",
        "1970-01-01",
        "2024-02-29",
        "9999-12-31",
      ];
      const dated = days.map((day) => ({
        user: { ...base.user, id: crypto.randomUUID(), dob: day, registered_date: day },
        version: base.version,
      }));
      await it.sink.upsert([...all, ...dated], never);
      expect(byId(await it.rows())).toEqual(byId([...all, ...dated]));
    });
  });
}
