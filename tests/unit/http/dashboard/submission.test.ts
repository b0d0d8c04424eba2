import { expect, test } from "bun:test";
import { createSubmission } from "../../../../lib/http/dashboard/runs/submission.ts";

function submissions() {
  let made = 0;
  return createSubmission(() => `key-${++made}`);
}

test("the same body is asked for under the same key, until it is there", () => {
  const { keyFor, done } = submissions();
  expect(keyFor({ results: 1 })).toBe("key-1");
  expect(keyFor({ results: 1 })).toBe("key-1");
  done();
  expect(keyFor({ results: 1 })).toBe("key-2");
});

test("another body has another key: what was refused can be put right", () => {
  const { keyFor } = submissions();
  expect(keyFor({ results: 0 })).toBe("key-1");
  expect(keyFor({ results: 1 })).toBe("key-2");
  expect(keyFor({ results: 0 })).toBe("key-3");
});
