import { expect, test } from "bun:test";
import type { ReceivedRecord } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { createOffsets } from "../../../lib/topic/offsets.ts";
import { type Reading, readOn } from "../../../lib/topic/read-on.ts";
import { until } from "../../until.ts";
import { record } from "../../users.ts";

const read = (...offsets: number[]) => offsets.map((offset) => record({ partition: 0, offset }));
const offsetsOf = (records: readonly ReceivedRecord[]) => records.map(({ offset }) => offset);

/** A member whose polls give what is there to give; the rest of it does what the test says. */
function memberGiving(polls: readonly (readonly ReceivedRecord[] | Error)[]) {
  const left = [...polls];
  const did: string[] = [];
  const offsets = createOffsets("users_created");
  offsets.assigned([{ topic: "users_created", partition: 0, offset: 0, topicId: "id" }]);
  const note = (what: string) => () => void did.push(what);
  const member: Reading = {
    offsets,
    poll: async () => {
      did.push("poll");
      const next = left.shift() ?? [];
      if (next instanceof Error) throw next;
      return next;
    },
    pause: note("pause"),
    resume: note("resume"),
    commit: () => {
      for (const { offset } of offsets.uncommitted()) did.push(`commit ${offset}`);
      offsets.committed(offsets.uncommitted());
    },
    settle: async () => void did.push("settle"),
    rejoin: async () => void did.push("rejoin"),
    outdated: () => false,
  };
  return { member, did };
}

const options = { batchRecords: 10, log, signal: new AbortController().signal };
const atOnce = async (idle: boolean) => idle;

test("what comes while a batch is at work is handled next, before it is committed", async () => {
  const { member, did } = memberGiving([read(0, 1), read(2), read(3)]);
  const handled: number[][] = [];
  const handle = async (records: readonly ReceivedRecord[]) => {
    handled.push(offsetsOf(records));
    if (handled.length === 1) await until(() => did.filter((it) => it === "poll").length > 1);
    else expect(did.filter((it) => it.startsWith("commit"))).toEqual(["commit 2"]);
  };
  await readOn(member, handle, { ...options, isDrained: atOnce, pauseAfterMs: 1 });
  expect(handled).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(did.filter((it) => it.startsWith("commit"))).toEqual(["commit 2", "commit 4"]);
});

test("a batch that takes long pauses the member, which goes on polling, and resumes it after", async () => {
  const { member, did } = memberGiving([read(0)]);
  const polls = () => did.filter((it) => it === "poll").length;
  const handle = async () => void (await until(() => polls() > 2));
  await readOn(member, handle, { ...options, isDrained: atOnce, pauseAfterMs: 1 });
  expect(did.slice(0, 4)).toEqual(["poll", "pause", "poll", "poll"]);
  expect(did.slice(-3)).toEqual(["resume", "commit 1", "settle"]);
});

test("a batch that is not handled is not committed, and the member settles what was", async () => {
  const { member, did } = memberGiving([read(0), read(1)]);
  const handle = async (records: readonly ReceivedRecord[]) => {
    if (records[0]?.offset === 1) throw new Error("the table is gone");
  };
  await expect(readOn(member, handle, options)).rejects.toThrow("the table is gone");
  expect(did).toEqual(["poll", "commit 1", "poll", "settle"]);
});

test("a poll that fails for good makes the member join again", async () => {
  const fatal = Object.assign(new Error("fatal"), { code: -150 });
  const { member, did } = memberGiving([fatal, read(0)]);
  const handled: number[] = [];
  const handle = async (records: readonly ReceivedRecord[]) =>
    void handled.push(...offsetsOf(records));
  await readOn(member, handle, { ...options, isDrained: atOnce });
  expect(did.slice(0, 3)).toEqual(["poll", "rejoin", "poll"]);
  expect(handled).toEqual([0]);
});
