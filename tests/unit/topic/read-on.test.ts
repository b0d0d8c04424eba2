import { expect, test } from "bun:test";
import type { ReceivedRecord } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { createOffsets } from "../../../lib/topic/offsets.ts";
import { type Reading, readOn } from "../../../lib/topic/read-on.ts";
import { failureOf } from "../../failure.ts";
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
      await new Promise(setImmediate);
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

/** A single record is a quarter of a full batch: a backlog. */
const options = { batchRecords: 4, log, signal: new AbortController().signal };
const atOnce = async (idle: boolean) => idle;

const until4 = (did: readonly string[]) =>
  until(() => did.filter((it) => it === "poll").length >= 4, { what: "four polls" });

test("batches are handled beside each other, and dealt with in their order", async () => {
  const { member, did } = memberGiving([read(0, 1), read(2), read(3)]);
  const ended: number[] = [];
  const handle = async (records: readonly ReceivedRecord[]) => {
    if (records[0]?.offset === 0) await until(() => ended.length === 2);
    ended.push(...offsetsOf(records));
    expect(did.filter((it) => it.startsWith("commit"))).toEqual([]);
  };
  const stop = new AbortController();
  const reading = readOn(member, handle, { ...options, signal: stop.signal });
  await until4(did);
  stop.abort();
  await reading;
  expect(ended).toEqual([2, 3, 0, 1]);
  expect(did.filter((it) => it.startsWith("commit"))).toEqual(["commit 2", "commit 3", "commit 4"]);
});

test("without a backlog two batches are at work at most: the next is what comes meanwhile", async () => {
  const { member, did } = memberGiving([read(0), read(1), read(2), read(3)]);
  let [atWork, most, handled] = [0, 0, 0];
  const stop = new AbortController();
  const handle = async () => {
    atWork += 1;
    most = Math.max(most, atWork);
    for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
    atWork -= 1;
    handled += 1;
    if (handled === 4) stop.abort();
  };
  await readOn(member, handle, { ...options, batchRecords: 5, signal: stop.signal });
  expect(most).toBe(2);
  expect(did).toContain("commit 4");
});

test("four batches are at work at most", async () => {
  const { member } = memberGiving(Array.from({ length: 20 }, (_, offset) => read(offset)));
  let atWork = 0;
  let most = 0;
  const handle = async () => {
    atWork += 1;
    most = Math.max(most, atWork);
    await new Promise(setImmediate);
    atWork -= 1;
  };
  await readOn(member, handle, { ...options, isDrained: async () => most > 0 && atWork === 0 });
  expect(most).toBeWithin(1, 5);
});

test("of a batch that fails and those after it nothing is committed, once the others have ended", async () => {
  const { member, did } = memberGiving([read(0), read(1), read(2)]);
  let failed = false;
  const handle = async ([record]: readonly ReceivedRecord[]) => {
    await until(() => did.filter((it) => it === "poll").length >= 3, { what: "three polls" });
    failed ||= record?.offset === 1;
    if (record?.offset === 1) throw new Error("the table is gone");
    let looks = 0;
    await until(() => failed && ++looks > 4);
    did.push(`ended ${record?.offset}`);
  };
  expect((await failureOf(readOn(member, handle, options))).message).toBe("the table is gone");
  const order = did.filter((it) => it !== "poll");
  expect(order.toSorted()).toEqual(["commit 1", "ended 0", "ended 2", "settle"]);
  expect(order.at(-1)).toBe("settle");
});

test("what comes while all wait for a batch is handled too", async () => {
  // Four are at work; the fifth comes though all is paused: of a partition gained at that moment.
  const polls = [0, 1, 2, 3, 4].map((offset) => read(offset));
  const { member } = memberGiving(polls);
  const handled: number[] = [];
  const handle = async (records: readonly ReceivedRecord[]) => {
    handled.push(...offsetsOf(records));
    await until(() => handled.length === 5);
  };
  const stop = new AbortController();
  const reading = readOn(member, handle, { ...options, pauseAfterMs: 1, signal: stop.signal });
  await until(() => handled.length === 5, { what: "all five" });
  stop.abort();
  await reading;
});

test("a batch that takes long pauses the member, which goes on polling, and resumes it after", async () => {
  const { member, did } = memberGiving([read(0)]);
  const polls = () => did.filter((it) => it === "poll").length;
  const handle = async () => void (await until(() => polls() > 2));
  await readOn(member, handle, { ...options, isDrained: atOnce, pauseAfterMs: 1 });
  expect(did.slice(0, 4)).toEqual(["poll", "pause", "poll", "poll"]);
  expect(did.filter((it) => it !== "poll").slice(1)).toEqual(["commit 1", "resume", "settle"]);
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
