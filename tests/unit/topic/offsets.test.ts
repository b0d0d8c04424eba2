import { expect, test } from "bun:test";
import { createOffsets } from "../../../lib/topic/offsets.ts";
import { record } from "../../users.ts";

const start = { topic: "users", partition: 0, offset: 10, topicId: "id" };
const read = (...offsets: number[]) => offsets.map((offset) => record({ partition: 0, offset }));
const next = ({ uncommitted }: ReturnType<typeof createOffsets>) =>
  uncommitted().map(({ partition, offset }) => [partition, offset]);

test("what is dealt with is to be committed up to the record after it", () => {
  const offsets = createOffsets("users");
  offsets.assigned([start]);
  const marks = offsets.marks(read(10, 11, 12));
  expect(next(offsets)).toEqual([]);
  offsets.done(marks);
  expect(next(offsets)).toEqual([[0, 13]]);
  offsets.committed([{ partition: 0, offset: 13 }]);
  expect(next(offsets)).toEqual([]);
});

test("a partition stands where reading began, then behind the last record that is dealt with", () => {
  const offsets = createOffsets("users");
  offsets.assigned([start, { ...start, partition: 1, offset: 0 }]);
  const marks = offsets.marks(read(10, 11, 12));
  expect([...offsets.positions()]).toEqual([
    [0, 10],
    [1, 0],
  ]);
  offsets.done(marks);
  offsets.revoked([{ topic: "users", partition: 1 }]);
  expect([...offsets.positions()]).toEqual([[0, 13]]);
});

test("an old owner commits nothing of a partition that was taken away while it was busy", () => {
  const offsets = createOffsets("users");
  offsets.assigned([start]);
  const marks = offsets.marks(read(10, 11));
  offsets.revoked([start]);
  offsets.done(marks);
  expect(next(offsets)).toEqual([]);
  // Given back meanwhile it is read from what another has committed, not from here.
  offsets.assigned([start]);
  offsets.done(marks);
  expect(next(offsets)).toEqual([]);
});

test("offsets that were skipped are told of, with where they begin and end", () => {
  const gaps: unknown[] = [];
  const offsets = createOffsets("users", (gap) => gaps.push(gap));
  offsets.assigned([start]);
  offsets.marks(read(10, 11));
  offsets.marks(read(15, 16));
  expect(gaps).toEqual([{ partition: 0, from: 12, to: 15 }]);
});

test("the end of a partition counts once all that was handed over of it is dealt with", () => {
  const offsets = createOffsets("users");
  offsets.assigned([start]);
  const [first, second] = [offsets.marks(read(10)), offsets.marks(read(11))];
  offsets.end(0, 13);
  offsets.done(first);
  offsets.reachedEnds();
  expect(next(offsets)).toEqual([[0, 11]]);
  offsets.done(second);
  offsets.reachedEnds();
  expect(next(offsets)).toEqual([[0, 13]]);
});
