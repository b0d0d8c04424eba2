import { describe, expect, test } from "bun:test";
import { sleep } from "../../lib/sleep.ts";
import { accompanied, together } from "../../lib/together.ts";
import { failureOf } from "../failure.ts";
import { never } from "../users.ts";

const forever = (signal: AbortSignal) => sleep(3_600_000, signal);

describe("loops side by side", () => {
  test("end when all of them have returned", async () => {
    let done = 0;
    const loop = async () => void done++;
    await together(never, [loop, loop, loop]);
    expect(done).toBe(3);
  });

  test("end without an error when the signal aborts", async () => {
    const stop = new AbortController();
    const running = together(stop.signal, [forever, forever]);
    stop.abort(new DOMException("stopped", "AbortError"));
    await running;
  });

  test("are stopped and waited for when one fails, and its error is thrown", async () => {
    const error = new Error("one failed");
    const order: string[] = [];
    const slow = async (signal: AbortSignal) => {
      await forever(signal).catch(() => {});
      await Promise.resolve();
      order.push("the other has ended");
    };
    const failing = async () => {
      order.push("one failed");
      throw error;
    };
    expect(await failureOf(together(never, [slow, failing, forever]))).toBe(error);
    expect(order).toEqual(["one failed", "the other has ended"]);
  });

  test("throw the first error, also when stopping the others fails", async () => {
    const error = new Error("first");
    const second = async (signal: AbortSignal) => {
      await forever(signal).catch(() => {});
      throw new Error("second");
    };
    const first = () => Promise.reject(error);
    expect(await failureOf(together(never, [second, first]))).toBe(error);
  });

  test("throw an error that comes while they are being stopped", async () => {
    const stop = new AbortController();
    const failing = async (signal: AbortSignal) => {
      await forever(signal).catch(() => {});
      throw new Error("while stopping");
    };
    const running = failureOf(together(stop.signal, [failing]));
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await running).message).toBe("while stopping");
  });
});

describe("work with loops beside it", () => {
  test("ends when it is done, and the loops with it", async () => {
    let stopped = false;
    const loop = async (signal: AbortSignal) => {
      await forever(signal).finally(() => {
        stopped = true;
      });
    };
    await accompanied(never, async () => {}, [loop]);
    expect(stopped).toBe(true);
  });

  test("fails as it does, and as one of them does", async () => {
    const error = new Error("failed");
    const failing = () => Promise.reject(error);
    expect(await failureOf(accompanied(never, failing, [forever]))).toBe(error);
    expect(await failureOf(accompanied(never, forever, [failing]))).toBe(error);
  });

  test("goes on when a loop has ended", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const running = accompanied(never, () => promise, [async () => {}]);
    resolve();
    await running;
  });
});
