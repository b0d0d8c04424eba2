import { describe, expect, test } from "bun:test";
import type { ReceivedRecord } from "../../lib/domain/event.ts";
import { PipelineError } from "../../lib/errors.ts";
import type { RecordSource } from "../../lib/flow/topic-to-sink.ts";
import { failureOf } from "../failure.ts";
import { never } from "../users.ts";

/** An empty topic of one partition, and its group. */
export interface OpenTopic extends AsyncDisposable {
  /** Adds records with these values. */
  add(values: readonly string[]): Promise<void>;
  /** A new member of the group; the last one must be closed. With `drain` it ends at the end. */
  member(options: { readonly drain: boolean }): Promise<RecordSource & AsyncDisposable>;
}

/** What every source of records must do, the fake as well as the real one. */
export function recordSourceContract(name: string, open: () => Promise<OpenTopic>): void {
  const texts = (records: readonly ReceivedRecord[]) => records.map(({ value }) => String(value));
  const drained = async (it: OpenTopic) => {
    const all: string[] = [];
    await using member = await it.member({ drain: true });
    await member.batches(async (records) => void all.push(...texts(records)), never);
    return all;
  };
  const numbers = (count: number) => Array.from({ length: count }, (_, number) => String(number));

  describe(name, () => {
    test("an empty topic is at its end", async () => {
      await using it = await open();
      expect(await drained(it)).toEqual([]);
    });

    test("all records come, in their order, and the end is the end", async () => {
      await using it = await open();
      await it.add(numbers(50));
      expect(await drained(it)).toEqual(numbers(50));
    });

    test("the next member goes on where the last one stopped", async () => {
      await using it = await open();
      await it.add(["a", "b"]);
      expect(await drained(it)).toEqual(["a", "b"]);
      await it.add(["c"]);
      expect(await drained(it)).toEqual(["c"]);
      expect(await drained(it)).toEqual([]);
    });

    test("a batch whose handler fails is not committed, and comes again", async () => {
      await using it = await open();
      await it.add(["a", "b"]);
      const down = new PipelineError("refused", "no");
      {
        await using member = await it.member({ drain: true });
        expect(await failureOf(member.batches(() => Promise.reject(down), never))).toBe(down);
      }
      expect(await drained(it)).toEqual(["a", "b"]);
    });

    test("what comes later is handled too, until the signal aborts; what was handled is committed", async () => {
      await using it = await open();
      const stop = new AbortController();
      const all: string[] = [];
      {
        await using member = await it.member({ drain: false });
        const running = member.batches(async (records) => {
          all.push(...texts(records));
          if (all.length === 2) stop.abort();
        }, stop.signal);
        await it.add(["a"]);
        await it.add(["b"]);
        await running;
      }
      expect(all).toEqual(["a", "b"]);
      expect(await drained(it)).toEqual([]);
    });
  });
}
