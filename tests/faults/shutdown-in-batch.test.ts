import { expect, setDefaultTimeout, test } from "bun:test";
import { everyRecord, openMembers, sendSome } from "../fixtures/faults/members.ts";
import { makeTopics } from "../topics.ts";
import { until } from "../until.ts";

setDefaultTimeout(240_000);

test("a consumer stopped in the middle of a batch has committed what it wrote, and no more", async () => {
  await using topics = await makeTopics({ partitions: 3 });
  await using members = openMembers(topics);
  await sendSome(topics, 300);
  const member = members.start({ batchMs: 2500, batchRecords: 20 });
  // After a batch, so in the middle of the next; that one is long enough for its member to pause.
  await until(() => member.stdout.length > 0);
  expect((await member.end("SIGTERM")).exitCode).toBe(0);

  const committed = await topics.reader.committed(topics.config.name);
  const isCommitted = (record: string) => {
    const [partition = -1, offset = -1] = record.split(" ").map(Number);
    return offset < (committed.get(partition) ?? 0);
  };
  const all = await everyRecord(topics);
  const handled = members.handled();
  expect(all.filter(isCommitted)).toEqual(all.filter((record) => handled.has(record)));
  expect(handled.size).toBeLessThan(all.length);
});
