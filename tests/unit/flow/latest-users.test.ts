import { expect, test } from "bun:test";
import type { Pipeline } from "../../../lib/domain/pipeline.ts";
import { latestUsers } from "../../../lib/flow/latest-users.ts";
import { users } from "../../users.ts";

const receivedAt = "2026-01-31T12:00:00.000Z";
const newest = users(6, "newest");
const received = newest.map(({ id }, run) => ({ id, run, receivedAt }));

/** A table that has every second of them. */
function stations(lag: number, newestRowAt: string | null = receivedAt) {
  const asked: object[] = [];
  const table = { consumed: 0, lag, recordsPerSecond: null, newestRowAt, newestRowAgeSeconds: 0 };
  const there = newest.filter((_, at) => at % 2 === 0);
  return {
    asked,
    pipeline: { now: async () => ({ table }) as Pipeline },
    raw: {
      latest: async (options: { limit: number }) => {
        asked.push(options);
        return received.slice(0, options.limit);
      },
    },
    table: {
      rows: async (ids: readonly string[]) => there.filter(({ id }) => ids.includes(id)).reverse(),
    },
  };
}

test("of the users received last those in the table are told, the newest first", async () => {
  const found = await latestUsers(stations(0), 2);
  expect(found).toEqual([0, 2].map((run) => ({ run, receivedAt, user: newest[run] as never })));
});

test("while records wait for the table, they are looked for among those that are written", async () => {
  const { asked, ...behind } = stations(5);
  await latestUsers(behind, 3);
  expect(asked).toEqual([{ limit: 6, until: new Date(receivedAt) }]);
  const unknown = stations(5, null);
  await latestUsers(unknown, 3);
  expect(unknown.asked).toEqual([{ limit: 6 }]);
});
