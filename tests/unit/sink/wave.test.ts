import { describe, expect, test } from "bun:test";
import { createLimit, type Limit } from "../../../lib/sink/limit.ts";
import { createWaves } from "../../../lib/sink/wave.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);
const settleMs = 3_600_000;

/** A wave that shares its limit with no other. */
function wave(
  pieces: readonly number[],
  write: (piece: number) => Promise<readonly number[]>,
  { limit, ...options }: { limit: Limit; signal: AbortSignal; settleMs: number },
): Promise<void> {
  return createWaves<number>(limit)(pieces, write, options);
}

/** Writes that end when they are told to. */
function byHand() {
  const open = new Map<number, PromiseWithResolvers<readonly number[]>>();
  const started: number[] = [];
  return {
    started,
    open,
    write: (piece: number) => {
      const ending = Promise.withResolvers<readonly number[]>();
      started.push(piece);
      open.set(piece, ending);
      return ending.promise.finally(() => open.delete(piece));
    },
  };
}

describe("a wave", () => {
  test("writes every piece once, and what pieces are split into", async () => {
    const written: number[] = [];
    const write = async (piece: number) => {
      if (piece % 10 === 0 && piece < 1000) return [piece + 1000, piece + 2000];
      written.push(piece);
      return [];
    };
    await wave(numbers(100), write, { limit: createLimit(), signal: never, settleMs });
    const split = numbers(10).flatMap((at) => [1000 + 10 * at, 2000 + 10 * at]);
    const whole = numbers(100).filter((at) => at % 10 !== 0);
    expect(written.toSorted((a, b) => a - b)).toEqual(
      [...whole, ...split].toSorted((a, b) => a - b),
    );
  });

  test("has no more under way than the limit lets", async () => {
    const [limit, hand] = [createLimit({ first: 3, max: 3 }), byHand()];
    const running = wave(numbers(7), hand.write, { limit, signal: never, settleMs });
    expect(hand.started).toEqual([0, 1, 2]);
    hand.open.get(1)?.resolve([]);
    await until(() => hand.started.length === 4);
    expect(hand.open.size).toBe(3);
    while (hand.started.length < 7 || hand.open.size > 0) {
      for (const each of hand.open.values()) each.resolve([]);
      await Promise.resolve();
    }
    await running;
    expect(limit.inFlight).toBe(0);
  });

  test("gets the slots that the one before it gives back, before that has ended", async () => {
    const [first, second] = [byHand(), byHand()];
    const together = createWaves<number>(createLimit({ first: 2, max: 2 }));
    const options = { signal: never, settleMs };
    const both = [together(numbers(3), first.write, options), together([7], second.write, options)];
    expect([first.started, second.started]).toEqual([[0, 1], []]);
    first.open.get(0)?.resolve([]);
    await until(() => first.started.length === 3);
    expect(second.started).toEqual([]);
    first.open.get(1)?.resolve([]);
    await until(() => second.started.length === 1);
    expect(first.open.size).toBe(1);
    for (const each of [...first.open.values(), ...second.open.values()]) each.resolve([]);
    await Promise.all(both);
  });

  test("that is aborted before it had a slot rejects at once", async () => {
    const [stop, hand] = [new AbortController(), byHand()];
    const together = createWaves<number>(createLimit({ first: 1, max: 1 }));
    const other = together([0], hand.write, { signal: never, settleMs });
    const waiting = failureOf(together([1], hand.write, { signal: stop.signal, settleMs }));
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await waiting).message).toBe("stopped");
    hand.open.get(0)?.resolve([]);
    await other;
  });

  test("that fails starts nothing more, waits for those under way and rejects with the first failure", async () => {
    const [limit, hand] = [createLimit({ first: 4, max: 4 }), byHand()];
    let over = false;
    const running = failureOf(wave(numbers(9), hand.write, { limit, signal: never, settleMs }));
    void running.then(() => {
      over = true;
    });
    hand.open.get(2)?.reject(new Error("first"));
    await until(() => hand.open.size === 3);
    hand.open.get(0)?.reject(new Error("second"));
    hand.open.get(1)?.resolve([]);
    await until(() => hand.open.size === 1);
    expect([over, hand.started.length]).toEqual([false, 4]);
    hand.open.get(3)?.resolve([]);
    expect((await running).message).toBe("first");
    expect(limit.slots).toBe(2);
  });
});

describe("an abort", () => {
  const stopped = new DOMException("stopped", "AbortError");

  test("before the start lets nothing start", async () => {
    const hand = byHand();
    const signal = AbortSignal.abort(stopped);
    const running = wave([1], hand.write, { limit: createLimit(), signal, settleMs });
    expect(await failureOf(running)).toBe(stopped);
    expect(hand.started).toEqual([]);
  });

  test("starts nothing more, and rejects with its reason when those under way have ended", async () => {
    const [stop, hand] = [new AbortController(), byHand()];
    const limit = createLimit({ first: 2, max: 2 });
    const running = failureOf(
      wave(numbers(5), hand.write, { limit, signal: stop.signal, settleMs }),
    );
    stop.abort(stopped);
    hand.open.get(0)?.resolve([]);
    hand.open.get(1)?.reject(new Error("closed"));
    expect(await running).toBe(stopped);
    expect(hand.started).toEqual([0, 1]);
  });

  test("is no failure when all gets written that was there", async () => {
    const [stop, hand] = [new AbortController(), byHand()];
    const running = wave([0, 1], hand.write, {
      limit: createLimit(),
      signal: stop.signal,
      settleMs,
    });
    stop.abort(stopped);
    for (const each of hand.open.values()) each.resolve([]);
    await running;
  });

  test("waits no longer than allowed for those that never end", async () => {
    const [stop, hand] = [new AbortController(), byHand()];
    const options = { limit: createLimit(), signal: stop.signal, settleMs: 10 };
    const running = failureOf(wave([0, 1], hand.write, options));
    stop.abort(stopped);
    expect(await running).toBe(stopped);
    expect(hand.open.size).toBe(2);
  });
});
