import { expect, test } from "bun:test";
import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { ConsumerFigures } from "../../../lib/domain/consumer-figures.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { readNote } from "../../../lib/topic/commit-note.ts";
import { createCommits } from "../../../lib/topic/commits.ts";
import { createOffsets } from "../../../lib/topic/offsets.ts";
import { until } from "../../until.ts";
import { record } from "../../users.ts";

const at = "2026-01-31T12:00:00.000Z";
const figures: ConsumerFigures = {
  ...{ worker: "one", at, startedAt: at, memoryBytes: 1e8, records: 0, rows: 0, deadLetters: 0 },
  ...{ batchRows: null, writeMs: null, endToEndMs: null, newestRowAt: null },
  ...{ waiting: null, lastError: null },
};

/** A member that owns partitions 0 and 1 from offset 10 on, and its client, which answers by hand. */
function member() {
  const clock = { ms: 0 };
  const asked = { times: 0 };
  const sent: { partition: number; offset: number; metadata: string }[][] = [];
  let tell = (_: Error | null, __: (typeof sent)[number]) => {};
  const client = {
    on: (_: string, listener: typeof tell) => {
      tell = listener;
    },
    commit: (offsets: (typeof sent)[number]) => void sent.push(offsets),
  };
  const offsets = createOffsets("users");
  const start = { topic: "users", offset: 10, topicId: "id" };
  offsets.assigned([0, 1].map((partition) => ({ ...start, partition })));
  const says = () => {
    asked.times += 1;
    return { ...figures, records: asked.times };
  };
  const commits = createCommits(offsets, log, { says, nowMs: () => clock.ms });
  commits.follow(client as never);
  return {
    ...{ clock, asked, sent, offsets },
    send: (ms: number) => {
      clock.ms = ms;
      commits.send(client as never);
    },
    answer: (error?: Error) => tell(error ?? null, sent.at(-1) ?? []),
    /** Deals with the next record of these partitions. */
    deal: (offset: number, ...partitions: number[]) =>
      offsets.done(offsets.marks(partitions.map((partition) => record({ partition, offset })))),
    /** Of the last commit: partition, offset, and how often the consumer had spoken; null: not in it. */
    last: () =>
      sent.at(-1)?.map(({ partition, offset, metadata }) => {
        const { topicId, consumer } = readNote(metadata);
        expect(topicId).toBe("id");
        return [partition, offset, consumer?.records ?? null];
      }),
  };
}

test("a commit carries what the consumer says, on one partition, asked once a second", () => {
  const { deal, send, answer, last } = member();
  deal(10, 0, 1);
  send(0);
  expect(last()).toEqual([
    [0, 11, 1],
    [1, 11, null],
  ]);
  answer();
  deal(11, 1);
  send(999);
  expect(last()).toEqual([[1, 12, 1]]);
  answer();
  deal(12, 1);
  send(1000);
  expect(last()).toEqual([[1, 13, 2]]);
});

test("with nothing to commit it is said every five seconds, where the partition stands", () => {
  const { deal, send, answer, sent, last, offsets } = member();
  send(0);
  expect(last()).toEqual([[0, 10, 1]]);
  answer();
  deal(10, 0);
  send(1000);
  answer();
  send(5999);
  expect(sent).toHaveLength(2);
  // What is being dealt with is not committed by it.
  offsets.marks([record({ partition: 0, offset: 11 })]);
  send(6000);
  expect(last()).toEqual([[0, 11, 3]]);
});

test("what was done since it last spoke is said a second after that, also when nothing comes", () => {
  const { deal, send, answer, last, sent } = member();
  deal(10, 0);
  send(0);
  answer();
  deal(11, 0);
  send(100);
  expect(last()).toEqual([[0, 12, 1]]);
  answer();
  send(999);
  expect(sent).toHaveLength(2);
  send(1000);
  expect(last()).toEqual([[0, 12, 2]]);
  answer();
  send(2000);
  expect(sent).toHaveLength(3);
});

test("after a commit that was refused the next ones go without it, for five seconds", () => {
  const { deal, send, answer, last, sent } = member();
  deal(10, 0);
  send(0);
  answer(new Error("metadata too large"));
  send(100);
  expect(last()).toEqual([[0, 11, null]]);
  answer();
  send(4999);
  expect(sent).toHaveLength(2);
  send(5000);
  expect(last()).toEqual([[0, 11, 2]]);
});

test("a member without partitions says nothing", () => {
  const { send, sent, offsets } = member();
  offsets.reset();
  send(0);
  expect(sent).toEqual([]);
});

/** Commits of a client whose broker answers when the test says so. */
function committing() {
  const offsets = createOffsets("users_created");
  offsets.assigned([{ topic: "users_created", partition: 0, offset: 0, topicId: "id" }]);
  const sent: { offset: number; atMs: number }[] = [];
  let answer: (error: null, partitions: unknown) => void = () => {};
  const client = {
    on: (_: string, heard: typeof answer) => {
      answer = heard;
    },
    commit: ([of]: { offset: number }[]) => {
      sent.push({ offset: of?.offset ?? -1, atMs: performance.now() });
      queueMicrotask(() => answer(null, [{ topic: "users_created", partition: 0, ...of }]));
    },
  } as unknown as KafkaConsumer;
  const commits = createCommits(offsets, log);
  commits.follow(client);
  let next = 0;
  const handled = () => offsets.done(offsets.marks([record({ partition: 0, offset: next++ })]));
  return { commits, client, sent, handled };
}

test("the first commit goes at once, those soon after it together and later", async () => {
  const { commits, client, sent, handled } = committing();
  handled();
  commits.sendSoon(client);
  expect(sent.map(({ offset }) => offset)).toEqual([1]);
  for (let more = 0; more < 20; more++) {
    handled();
    commits.sendSoon(client);
    await new Promise(setImmediate);
  }
  await until(() => sent.at(-1)?.offset === 21, { what: "the last commit" });
  const between = sent.slice(1).map(({ atMs }, at) => atMs - (sent[at]?.atMs ?? 0));
  expect(Math.min(...between)).toBeGreaterThan(45);
});

test("who gives a partition away need not wait", async () => {
  const { commits, client, sent, handled } = committing();
  for (let more = 0; more < 3; more++) {
    handled();
    commits.send(client);
    await new Promise(setImmediate);
  }
  expect(sent.map(({ offset }) => offset)).toEqual([1, 2, 3]);
});
