import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ConsumerFigures } from "../../../lib/domain/consumer-figures.ts";
import { maxNoteBytes, noteText, readNote } from "../../../lib/topic/commit-note.ts";

const at = "2026-01-31T12:00:00.000Z";
const said: ConsumerFigures = {
  ...{ worker: "one", at, startedAt: at, memoryBytes: 1e8, records: 2, rows: 1, deadLetters: 1 },
  ...{ batchRows: { p50: 1, p99: 2 }, writeMs: null, endToEndMs: null, newestRowAt: at },
  ...{ waiting: null, lastError: null },
};
const waitingFor = (what: string, reason: string) => ({
  ...said,
  waiting: { what, reason, since: at },
  lastError: { at, message: reason },
});

test("whatever a consumer says comes back as it was, or not at all, in ASCII and not too long", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ maxLength: 900 }), (what, reason) => {
      const text = noteText("topic-id", waitingFor(what, reason));
      expect(text).toMatch(/^[\x20-\x7e]*$/);
      expect(text.length).toBeLessThanOrEqual(maxNoteBytes);
      const { topicId, consumer } = readNote(text);
      expect(topicId).toBe("topic-id");
      if (text !== "topic-id") expect(consumer).toEqual(waitingFor(what, reason));
    }),
  );
});

test("what is too long is left out", () => {
  expect(noteText("topic-id", waitingFor("it", "x".repeat(200)))).not.toBe("topic-id");
  expect(noteText("topic-id", waitingFor("it", "x".repeat(maxNoteBytes)))).toBe("topic-id");
});

test.each([
  ["", undefined],
  ["topic-id", "topic-id"],
  ['topic-id {"worker":"one"}', "topic-id"],
  ["topic-id {", "topic-id"],
  [`topic-id ${JSON.stringify({ ...said, later: 1 })}`, "topic-id"],
])("%p says nothing of a consumer", (text, topicId) => {
  expect(readNote(text)).toEqual({ topicId, consumer: undefined });
});
