import { expect, test } from "bun:test";
import { murmur2, partitionOf } from "../../../lib/topic/partition.ts";

// From the tests of Kafka's own Java client.
test.each([
  ["21", -973_932_308],
  ["foobar", -790_332_482],
  ["a-little-bit-long-string", -985_981_536],
  ["a-little-bit-longer-string", -1_486_304_829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971],
  ["abc", 479_470_107],
])("%s has the hash that Java's client gives it", (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash);
});

test("a partition is one of those there are", () => {
  const keys = Array.from({ length: 1000 }, (_, n) => `key ${n}`);
  expect(new Set(keys.map((key) => partitionOf(key, 7))).size).toBe(7);
  expect(Math.max(...keys.map((key) => partitionOf(key, 7)))).toBe(6);
});
