import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ReceivedRecord } from "../../../lib/domain/event.ts";
import { unpacked } from "../../../lib/topic/blocks.ts";

const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const name = fc.constantFrom("version", "format", "run", "raw", "verse", "", "größe");
const record = fc.record({
  partition: fc.nat(100),
  offset: fc.maxSafeNat(),
  timestampMs: fc.integer({ min: -1, max: 2 ** 45 }),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.tuple(name, fc.option(bytes)), { maxLength: 5 }),
});

/** Records as the addon gives them. */
function block(records: readonly ReturnType<typeof record.generate>["value"][]) {
  const numbers: number[] = [];
  const parts: Buffer[] = [];
  const add = (part: Buffer | null) => {
    numbers.push(part?.length ?? -1);
    if (part) parts.push(part);
  };
  for (const { partition, offset, timestampMs, key, value, headers } of records) {
    numbers.push(partition, offset, timestampMs);
    add(key);
    add(value);
    numbers.push(headers.length);
    for (const [name, content] of headers) {
      add(Buffer.from(name));
      add(content);
    }
  }
  return unpacked("users", Float64Array.from(numbers), Buffer.concat(parts));
}

const plain = (found: ReceivedRecord) => {
  const { topic, partition, offset, timestampMs, key, value, headers } = found;
  return { topic, partition, offset, timestampMs, key, value, headers };
};

test("each record of a block is what was put there, whatever is read of it first", () => {
  fc.assert(
    fc.property(fc.array(record), fc.boolean(), (records, backwards) => {
      const found = block(records);
      expect(found.length).toBe(records.length);
      if (backwards) for (const each of found.toReversed()) void each.headers;
      expect(found.map(plain)).toEqual(
        records.map(({ headers, ...rest }) => ({
          ...{ topic: "users", ...rest },
          // The last one wins; one without a value is none.
          headers: Object.fromEntries(headers.filter(([, value]) => value !== null)),
        })) as never,
      );
    }),
  );
});
