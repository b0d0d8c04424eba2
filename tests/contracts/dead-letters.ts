import { describe, expect, test } from "bun:test";
import type { DeadLetter, DeadLetters } from "../../lib/flow/topic-to-sink.ts";
import { record } from "../users.ts";

/** A letter as it is found again. */
export interface FoundLetter {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly attempts: number;
  readonly stage: string;
  readonly reason: string;
  readonly path: string;
  readonly key: string | null;
  readonly value: string | null;
}

export interface OpenDeadLetters extends AsyncDisposable {
  readonly deadLetters: DeadLetters;
  /** All letters, in no particular order. */
  found(): Promise<readonly FoundLetter[]>;
}

/** What every place for dead letters must do, the fake as well as the real one. */
export function deadLettersContract(name: string, open: () => Promise<OpenDeadLetters>): void {
  const letter = (offset: number, parts: Parameters<typeof record>[0] = {}): DeadLetter => ({
    record: record({ partition: 2, offset, ...parts }),
    attempts: 1,
    stage: "decode",
    rejection: { path: "email", reason: `email: nothing is not text (${offset})` },
  });
  const byOffset = (all: readonly FoundLetter[]) => all.toSorted((a, b) => a.offset - b.offset);

  describe(name, () => {
    test("a letter is the whole record, where it came from, and why it is none", async () => {
      await using it = await open();
      await it.deadLetters.put([letter(7, { key: "ada", value: Buffer.from("not json") })]);
      expect(await it.found()).toEqual([
        {
          ...{ topic: "users_created", partition: 2, offset: 7, attempts: 1 },
          ...{ stage: "decode", path: "email" },
          ...{ reason: "email: nothing is not text (7)", key: "ada", value: "not json" },
        },
      ]);
    });

    test("records without key or value have letters too", async () => {
      await using it = await open();
      await it.deadLetters.put([
        letter(1),
        letter(2, { key: "", value: Buffer.alloc(0) }),
        { ...letter(3, { key: "k" }), stage: "write" },
      ]);
      const found = byOffset(await it.found());
      expect(found.map(({ key, value, stage }) => [key, value, stage])).toEqual([
        [null, null, "decode"],
        ["", "", "decode"],
        ["k", null, "write"],
      ]);
    });

    test("what failed again says how often", async () => {
      await using it = await open();
      await it.deadLetters.put([{ ...letter(7), attempts: 3 }]);
      expect((await it.found()).map(({ attempts }) => attempts)).toEqual([3]);
    });

    test("none to keep is kept at once", async () => {
      await using it = await open();
      await it.deadLetters.put([]);
      expect(await it.found()).toEqual([]);
    });

    test("the largest record the topic takes fits, with its reason", async () => {
      await using it = await open();
      const value = Buffer.alloc(1_048_500, "x");
      await it.deadLetters.put([letter(1, { value })]);
      expect((await it.found()).map((found) => found.value?.length)).toEqual([value.length]);
    });
  });
}
