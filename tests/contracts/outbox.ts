import { describe, expect, test } from "bun:test";
import { PipelineError } from "../../lib/errors.ts";
import type { Outbox, OutboxRow } from "../../lib/flow/raw-to-topic.ts";
import { failureOf } from "../failure.ts";
import { until } from "../until.ts";
import { never } from "../users.ts";

/** An empty outbox, and the ways to fill and to look at it. */
export interface OpenOutbox extends AsyncDisposable {
  readonly outbox: Outbox;
  /** Adds rows for these users of the API, in this order. */
  add(users: readonly unknown[]): Promise<void>;
  waiting(): Promise<number>;
  /** Takes from every taker what it holds, as from one that was frozen for too long. */
  lose(): Promise<void>;
  /** The reasons of those refused. */
  rejected(): Promise<readonly string[]>;
}

/** What every outbox must do, the fake as well as the real one. */
export function outboxContract(name: string, open: () => Promise<OpenOutbox>): void {
  const numbered = (count: number) => Array.from({ length: count }, (_, number) => ({ number }));
  const taken = async (outbox: Outbox, limit: number) => {
    const all: unknown[] = [];
    await outbox.take(limit, async (rows) => {
      all.push(...rows.map(({ payload }) => payload));
      return [];
    });
    return all;
  };

  describe(name, () => {
    test("an empty outbox hands over nothing and counts none", async () => {
      await using it = await open();
      let called = false;
      const count = await it.outbox.take(10, async () => {
        called = true;
        return [];
      });
      expect({ count, called }).toEqual({ count: 0, called: false });
    });

    test("rows come in the order in which they came in, at most as many as asked for", async () => {
      await using it = await open();
      await it.add(numbered(5));
      expect(await taken(it.outbox, 3)).toEqual([{ number: 0 }, { number: 1 }, { number: 2 }]);
      expect(await taken(it.outbox, 3)).toEqual([{ number: 3 }, { number: 4 }]);
    });

    test("rows are there until the handler has resolved, and then gone for good", async () => {
      await using it = await open();
      await it.add(numbered(2));
      let meanwhile = -1;
      const count = await it.outbox.take(10, async () => {
        meanwhile = await it.waiting();
        return [];
      });
      expect({ count, meanwhile }).toEqual({ count: 2, meanwhile: 2 });
      expect(await it.waiting()).toBe(0);
      expect(await taken(it.outbox, 10)).toEqual([]);
    });

    test("a row says which raw row and run it is, and has a version", async () => {
      await using it = await open();
      await it.add(numbered(2));
      let seen: readonly OutboxRow[] = [];
      await it.outbox.take(10, async (rows) => {
        seen = rows;
        return [];
      });
      expect(seen.every(({ raw, run }) => Number.isInteger(raw) && Number.isInteger(run))).toBe(
        true,
      );
      expect(new Set(seen.map(({ raw }) => raw)).size).toBe(2);
      expect((seen[1]?.version ?? 0) - (seen[0]?.version ?? 0)).toBeGreaterThan(0);
    });

    test("rows have the place of their run in a trace, the same each time", async () => {
      await using it = await open();
      await it.add(numbered(2));
      await it.add(numbered(1));
      const seen: OutboxRow[] = [];
      const look = async (rows: readonly OutboxRow[]) => {
        seen.push(...rows);
        throw new PipelineError("unavailable", "broker down");
      };
      for (const limit of [1, 10]) await failureOf(it.outbox.take(limit, look));
      expect(seen).toHaveLength(4);
      const places = new Map(seen.map(({ run, trace }) => [run, trace?.traceparent]));
      for (const { run, trace } of seen) {
        expect(trace?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
        expect(trace?.traceparent).toBe(places.get(run) ?? "");
      }
      expect(new Set(places.values()).size).toBe(places.size);
    });

    test("a refused batch stays in the outbox, and its error is the taker's", async () => {
      await using it = await open();
      await it.add(numbered(2));
      const down = new PipelineError("unavailable", "broker down");
      const error = await failureOf(it.outbox.take(10, () => Promise.reject(down)));
      expect(error).toBe(down);
      expect(await it.waiting()).toBe(2);
      expect(await taken(it.outbox, 10)).toEqual(numbered(2));
    });

    test("rows named as refused are gone, and among the rejected with their reason", async () => {
      await using it = await open();
      await it.add(numbered(3));
      const reason = `too large: "quotes", '); drop table outbox; --, \\u0000 and\nlines`;
      const rejection = { path: "email", reason };
      expect(await it.outbox.take(10, async () => [{ index: 1, rejection }])).toBe(3);
      expect(await it.waiting()).toBe(0);
      expect(await it.rejected()).toEqual([reason]);
    });

    test("two takers never get the same row at once", async () => {
      await using it = await open();
      await it.add(numbered(4));
      const first = Promise.withResolvers<void>();
      const holding = Promise.withResolvers<void>();
      const slow = it.outbox.take(2, async () => {
        holding.resolve();
        await first.promise;
        return [];
      });
      await holding.promise;
      const other = await taken(it.outbox, 10);
      const none = await taken(it.outbox, 10);
      first.resolve();
      expect(await slow).toBe(2);
      expect({ other, none }).toEqual({ other: [{ number: 2 }, { number: 3 }], none: [] });
      expect(await it.waiting()).toBe(0);
    });

    test("rows of a taker that fails go to another one", async () => {
      await using it = await open();
      await it.add(numbered(2));
      await failureOf(it.outbox.take(1, () => Promise.reject(new PipelineError("timeout", "no"))));
      expect(await taken(it.outbox, 10)).toEqual(numbered(2));
    });

    test("a taker that has lost its rows is told so, and they go to another one", async () => {
      await using it = await open();
      await it.add(numbered(2));
      const steps: string[] = [];
      const losing = it.outbox.take(10, async (_, stillOurs) => {
        await stillOurs();
        steps.push("ours");
        await it.lose();
        steps.push("lost");
        await stillOurs();
        steps.push("ours still");
        return [];
      });
      expect(await failureOf(losing)).toMatchObject({ code: "unavailable" });
      await until(() => steps.includes("lost"));
      expect(await taken(it.outbox, 10)).toEqual(numbered(2));
      expect(steps).toEqual(["ours", "lost"]);
    });

    test("a taker that has lost its rows and does not ask has them not taken", async () => {
      await using it = await open();
      await it.add(numbered(2));
      const losing = it.outbox.take(10, async () => {
        await it.lose();
        return [];
      });
      expect(await failureOf(losing)).toMatchObject({ code: "unavailable" });
      expect(await it.waiting()).toBe(2);
    });

    test("waiting ends when rows come", async () => {
      await using it = await open();
      const waited = it.outbox.wait(never);
      await it.add(numbered(1));
      await waited;
    });

    test("waiting ends with the reason of the signal", async () => {
      await using it = await open();
      const stop = new AbortController();
      const waited = failureOf(it.outbox.wait(stop.signal));
      stop.abort(new DOMException("stopped", "AbortError"));
      expect((await waited).message).toBe("stopped");
    });
  });
}
