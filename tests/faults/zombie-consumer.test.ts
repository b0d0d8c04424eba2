import { expect, setDefaultTimeout, test } from "bun:test";
import { allCommitted, everyRecord, openMembers, sendSome } from "../fixtures/faults/members.ts";
import { makeTopics } from "../topics.ts";
import { until } from "../until.ts";

setDefaultTimeout(300_000);

/** The shortest that brokers allow. */
const properties = { "session.timeout.ms": 6000, "max.poll.interval.ms": 6000 };

test("a consumer frozen for longer than every time-out commits nothing that is no longer its own", async () => {
  await using topics = await makeTopics({ partitions: 2, properties });
  await using members = openMembers(topics);
  const committed = () => topics.reader.committed(topics.config.name);
  await sendSome(topics, 200);

  const zombie = members.start({ batchMs: 300, batchRecords: 20 });
  await until(() => zombie.stdout.length > 0);
  // In the middle of a batch: one takes much longer than to come here.
  zombie.signal("SIGSTOP");
  const frozenAt = zombie.stdout;
  const heir = members.start();
  await heir.says(/"partitions":\[0,1\],"msg":"assigned"/);
  await allCommitted(topics);
  await sendSome(topics, 50);
  await allCommitted(topics);
  expect(zombie.stdout).toBe(frozenAt);
  const before = await committed();

  zombie.signal("SIGCONT");
  // It ends what it was busy with, hears that it was expelled, and joins anew.
  await zombie.says(/"msg":"revoked".*"msg":"assigned"/s);
  for (const [partition, offset] of await committed()) {
    expect(offset).toBeGreaterThanOrEqual(before.get(partition) ?? 0);
  }
  await sendSome(topics, 50);
  await allCommitted(topics);
  const [handled, all] = [members.handled(), await everyRecord(topics)];
  expect(all.filter((record) => !handled.has(record))).toEqual([]);
  // What it repeats is the batch it was busy with, and what it had fetched with that.
  const repeated = [...handled.values()].filter((times) => times > 1).length;
  expect(repeated).toBeLessThanOrEqual(200);
  expect((await zombie.end("SIGTERM")).exitCode).toBe(0);
  expect((await heir.end("SIGTERM")).exitCode).toBe(0);
});
