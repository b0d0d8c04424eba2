import { describe, expect, test } from "bun:test";
import { digestOf, type Ledger } from "../../lib/flow/verify.ts";
import type { RawEntry, Settled } from "../fakes/ledger.ts";
import { apiUsers, judgedPage, users } from "../users.ts";

export interface OpenLedger extends AsyncDisposable {
  readonly ledger: Ledger;
  /** Receives more after the ledger was opened. */
  receive(more: readonly RawEntry[]): Promise<void>;
  /** Remembers what became of letters, newest outcome last. */
  settle(settled: readonly Settled[]): Promise<void>;
}

/** What every ledger must do, the fake as well as the real one. */
export function ledgerContract(
  name: string,
  open: (raws: readonly RawEntry[]) => Promise<OpenLedger>,
): void {
  const entries = (count: number, first = 1): RawEntry[] =>
    apiUsers(count).map((payload, at) => {
      const [user] = judgedPage([payload]).users;
      const id = user && "id" in user ? user.id : null;
      const raw = first + at;
      return { raw, id, version: 1_000_000 + raw, payload, state: "published" };
    });
  const entry = (over: Partial<RawEntry> = {}): RawEntry => {
    const [one] = entries(1, over.raw ?? 1);
    if (!one) throw new Error("no entry");
    return { ...one, ...over };
  };
  const row = (id: string | null, version: number) => ({
    id: id ?? "",
    version,
    digest: digestOf(Object.assign({}, ...users(1, "same"))),
  });
  const letterOf = ({ raw }: Pick<RawEntry, "raw">, attempts = 1) => ({
    ...{ topic: "t", partition: 0, offset: 5, timestampMs: 1000, attempts, raw },
  });
  const expectedOf = async (ledger: Ledger) => (await Array.fromAsync(ledger.expected())).flat();
  const inventedOf = async (ledger: Ledger) => {
    await Array.fromAsync(ledger.expected());
    return (await Array.fromAsync(ledger.invented())).flat();
  };

  describe(name, () => {
    test("counts what was received, rejected and still waits", async () => {
      await using it = await open([
        ...entries(3),
        entry({ raw: 4, state: "pending" }),
        entry({ raw: 5, id: null, payload: null, state: "rejected" }),
      ]);
      expect(await it.ledger.counts()).toEqual({ raw: 5, rejected: 1, pending: 1 });
    });

    test("counts nothing where nothing is", async () => {
      await using it = await open([]);
      expect(await it.ledger.counts()).toEqual({ raw: 0, rejected: 0, pending: 0 });
      expect(await it.ledger.totals()).toEqual({ table: 0, deadLetters: 0, onTheWay: 0 });
      expect(await expectedOf(it.ledger)).toEqual([]);
      expect(await inventedOf(it.ledger)).toEqual([]);
    });

    test("what is received after counting is not expected, and not invented either", async () => {
      const late = entry({ raw: 9 });
      await using it = await open(entries(1));
      await it.ledger.counts();
      await it.receive([late]);
      await it.ledger.addRows([row(late.id, late.version)]);
      expect(await expectedOf(it.ledger)).toHaveLength(1);
      expect(await inventedOf(it.ledger)).toEqual([]);
    });

    test("of each id the newest published version is expected, with the row that is there", async () => {
      const [first, other] = entries(2);
      if (!first || !other) throw new Error("no entries");
      const newer = { ...first, raw: 3, version: first.version + 10 };
      const waiting = { ...first, raw: 4, version: first.version + 20, state: "pending" } as const;
      await using it = await open([first, other, newer, waiting]);
      await it.ledger.counts();
      const there = row(first.id, first.version);
      await it.ledger.addRows([there]);
      const found = await expectedOf(it.ledger);
      expect(found).toHaveLength(2);
      expect(found.find(({ id }) => id === first.id)).toMatchObject({
        ...{ version: newer.version, rowVersion: first.version, digest: there.digest },
        payload: JSON.parse(JSON.stringify(first.payload)),
      });
      expect(found.find(({ id }) => id === other.id)).toMatchObject({
        ...{ version: other.version, rowVersion: null, digest: null },
      });
    });

    test("what the group has not consumed is on the way, and not expected", async () => {
      const [seen, unseen] = entries(2);
      if (!seen || !unseen) throw new Error("no entries");
      await using it = await open([seen, unseen]);
      await it.ledger.counts();
      await it.ledger.addUnconsumed([unseen.raw, unseen.raw, 77]);
      expect(await it.ledger.totals()).toMatchObject({ onTheWay: 1 });
      expect((await expectedOf(it.ledger)).map(({ id }) => id)).toEqual([seen.id ?? ""]);
    });

    test("a dead letter written twice counts once, and its raw row is not expected", async () => {
      const [good, dead] = entries(2);
      if (!good || !dead) throw new Error("no entries");
      await using it = await open([good, dead]);
      await it.ledger.counts();
      const letter = letterOf(dead);
      await it.ledger.addDeadLetters([letter, letter]);
      await it.ledger.addDeadLetters([letter, { ...letter, offset: 6, raw: null }]);
      expect(await it.ledger.totals()).toMatchObject({ deadLetters: 2 });
      expect((await expectedOf(it.ledger)).map(({ id }) => id)).toEqual([good.id ?? ""]);
    });

    test("a letter of a topic made anew under the same name is another one", async () => {
      const [dead, later] = entries(2);
      if (!dead || !later) throw new Error("no entries");
      await using it = await open([dead, later]);
      await it.settle([{ letter: letterOf(dead), outcome: "replayed" }]);
      await it.ledger.counts();
      await it.ledger.addDeadLetters([letterOf(dead), { ...letterOf(later), timestampMs: 2000 }]);
      expect(await it.ledger.totals()).toMatchObject({ deadLetters: 1 });
      expect((await expectedOf(it.ledger)).map(({ id }) => id)).toEqual([dead.id ?? ""]);
    });

    test("a letter that was replayed is none any more, and its raw row is expected", async () => {
      const [dead] = entries(1);
      if (!dead) throw new Error("no entry");
      await using it = await open([dead]);
      await it.settle([{ letter: letterOf(dead, 2), outcome: "replayed" }]);
      await it.ledger.counts();
      await it.ledger.addDeadLetters([letterOf(dead, 1), letterOf(dead, 2)]);
      expect(await it.ledger.totals()).toMatchObject({ deadLetters: 0 });
      expect((await expectedOf(it.ledger)).map(({ id }) => id)).toEqual([dead.id ?? ""]);
    });

    test("a letter that was replayed and came back is one, in whatever order it is read", async () => {
      const [dead] = entries(1);
      if (!dead) throw new Error("no entry");
      for (const attempts of [
        [1, 2],
        [2, 1],
      ]) {
        await using it = await open([dead]);
        await it.settle([{ letter: letterOf(dead, 1), outcome: "replayed" }]);
        await it.ledger.counts();
        for (const each of attempts) await it.ledger.addDeadLetters([letterOf(dead, each)]);
        expect(await it.ledger.totals()).toMatchObject({ deadLetters: 1 });
        expect(await expectedOf(it.ledger)).toEqual([]);
      }
    });

    test("a letter replayed after counting still excuses its raw row", async () => {
      const [dead] = entries(1);
      if (!dead) throw new Error("no entry");
      await using it = await open([dead]);
      await it.ledger.counts();
      await it.settle([{ letter: letterOf(dead), outcome: "replayed" }]);
      await it.ledger.addDeadLetters([letterOf(dead)]);
      expect(await expectedOf(it.ledger)).toEqual([]);
    });

    test("a letter purged before or after counting is none, and excuses its raw row for good", async () => {
      const [first, second] = entries(2);
      if (!first || !second) throw new Error("no entries");
      await using it = await open([first, second]);
      await it.settle([{ letter: letterOf(first), outcome: "purged" }]);
      await it.ledger.counts();
      await it.settle([{ letter: { ...letterOf(second), offset: 6 }, outcome: "purged" }]);
      // The first is still on the topic, the second is not.
      await it.ledger.addDeadLetters([letterOf(first)]);
      expect(await it.ledger.totals()).toMatchObject({ deadLetters: 0 });
      expect(await expectedOf(it.ledger)).toEqual([]);
    });

    test("of a newer row it is told what was received of that version by then, or nothing", async () => {
      const [first, second] = entries(2);
      if (!first || !second) throw new Error("no entries");
      const later = { ...first, raw: 3, version: first.version + 5 };
      await using it = await open([first, second]);
      await it.ledger.counts();
      await it.receive([later]);
      const there = row(first.id, later.version);
      const unknown = row(second.id, second.version + 1);
      await it.ledger.addRows([there, unknown]);
      expect(await expectedOf(it.ledger)).toEqual([]);
      const found = (await Array.fromAsync(it.ledger.newer())).flat();
      const payload = JSON.parse(JSON.stringify(first.payload));
      const told = found.map(({ id, payload, digest }) => ({ id, payload, digest }));
      expect(
        told.toSorted((a, b) => (a.payload === null ? 1 : b.payload === null ? -1 : 0)),
      ).toEqual([
        { id: first.id ?? "", payload, digest: there.digest },
        { id: second.id ?? "", payload: null, digest: unknown.digest },
      ]);
    });

    test("a row whose id was never received is invented, unless it is older than all that was received", async () => {
      const [known] = entries(1);
      if (!known) throw new Error("no entry");
      await using it = await open([known]);
      await it.ledger.counts();
      const [foreign, old] = [crypto.randomUUID(), crypto.randomUUID()];
      await it.ledger.addRows([
        row(known.id, known.version),
        row(foreign, known.version),
        row(old, known.version - 1),
      ]);
      expect(await it.ledger.totals()).toMatchObject({ table: 3 });
      expect(await inventedOf(it.ledger)).toEqual([foreign]);
    });
  });
}
