import { describe, expect, test } from "bun:test";
import { decode } from "../../../lib/domain/event.ts";
import { poisonForms, poisonOf } from "../../chaos/poison.ts";
import { record } from "../../users.ts";

describe("poison", () => {
  test.each([...poisonForms])(
    "that is %s is never a row, and the same for the same seed",
    (form) => {
      const poison = poisonOf(form, 4, "seed");
      expect(poison).toHaveLength(4);
      expect(poisonOf(form, 4, "seed")).toEqual(poison);
      for (const { key, value, headers = [] } of poison) {
        const received = record({
          key: key === undefined ? null : String(key),
          value: value ?? null,
          headers: Object.assign({}, ...headers),
        });
        expect(decode(received, Date.now())).toHaveProperty("rejection.reason");
      }
    },
  );

  test("that is the largest is just below what a broker takes", () => {
    const [{ value } = {}] = poisonOf("largest", 1, "seed");
    expect(value?.length).toBeWithin(1_040_000, 1_048_588);
  });
});
