import { describe, expect, test } from "bun:test";
import { type OldThings, type PrunedTopic, prune, pruneHourly } from "../../../lib/flow/prune.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";
import { never, record } from "../../users.ts";

/** A hundred old raw rows, five thousand lines and runs; tells what was asked for. */
function oldThings({ waiting }: { readonly waiting?: number } = {}) {
  const asked: string[] = [];
  const left = { logs: 5000, runs: 4000 };
  const old: OldThings = {
    firstWaiting: async () => {
      asked.push("outbox");
      return waiting;
    },
    countRaw: async (_, below) => Math.min(below, 101) - 1,
    pruneRaw: async (_, { after, below }) => {
      asked.push(`raw ${after}`);
      const ids = Array.from({ length: 100 }, (_, at) => at + 1);
      const gone = ids.filter((id) => id > after && id < below).slice(0, 40);
      return { rows: gone.length, last: gone.at(-1) };
    },
    count: async (kind) => left[kind],
    prune: async (kind, _, limit) => {
      const rows = Math.min(limit, left[kind]);
      left[kind] -= rows;
      return rows;
    },
  };
  return { old, asked, left };
}

interface Partition {
  readonly low?: number;
  readonly high: number;
  readonly committed?: number;
  /** The raw rows of its records. */
  readonly raws?: readonly number[];
}

function topicOf(...partitions: readonly Partition[]) {
  const opened: string[] = [];
  const topic: PrunedTopic & AsyncDisposable = {
    watermarks: async () => {
      opened.push("end");
      return new Map(partitions.map(({ low = 0, high }, at) => [at, { low, high }]));
    },
    committed: async () => {
      const known = partitions.flatMap(({ committed }, at) =>
        committed === undefined ? [] : [[at, committed] as const],
      );
      return new Map(known);
    },
    async *read(_, from = new Map()) {
      for (const [at, { raws = [] }] of partitions.entries()) {
        const rest = raws.slice(from.get(at) ?? 0);
        yield rest.map((raw) => record({ headers: { raw: String(raw) } }));
      }
      yield [record()];
    },
    [Symbol.asyncDispose]: async () => void opened.push("closed"),
  };
  return { name: "t", openTopic: async () => topic, opened };
}

const keep = { raw: 7, logs: 0, runs: 0 };
const options = { keep, log, signal: never };

describe("old raw rows", () => {
  test("go page by page when all is consumed", async () => {
    const { old, asked } = oldThings();
    const topic = topicOf({ high: 5, committed: 5, raws: [1, 2, 3, 4, 5] });
    expect(await prune(old, topic, options)).toEqual({ raw: 100, logs: 0, runs: 0 });
    expect(asked).toEqual(["outbox", "raw 0", "raw 40", "raw 80", "raw 100"]);
    expect(topic.opened).toEqual(["end", "closed"]);
  });

  test("stay from the first one on that waits for the topic", async () => {
    const topic = topicOf({ high: 5, committed: 5 });
    expect(await prune(oldThings({ waiting: 31 }).old, topic, options)).toMatchObject({ raw: 30 });
  });

  test("stay from the first one on that is not consumed, in whichever partition", async () => {
    const topic = topicOf(
      { high: 3, committed: 3, raws: [1, 2, 3] },
      { high: 3, committed: 1, raws: [4, 60, 21] },
    );
    expect(await prune(oldThings({ waiting: 90 }).old, topic, options)).toMatchObject({ raw: 20 });
  });

  test("all stay where nobody has consumed anything", async () => {
    const topic = topicOf({ high: 2, raws: [1, 2] });
    expect(await prune(oldThings().old, topic, options)).toMatchObject({ raw: 0 });
  });

  test.each([
    ["records have expired unread", topicOf({ low: 4, high: 9, committed: 3 })],
    ["all records have expired and nobody has read any", topicOf({ low: 4, high: 4 })],
    ["there is no topic", topicOf()],
  ])("stay where %s, which is said", async (_, topic) => {
    const { old, asked } = oldThings();
    expect(await failureOf(prune(old, topic, options))).toMatchObject({ code: "refused" });
    expect(asked).toEqual(["outbox"]);
    expect(topic.opened).toContain("closed");
  });

  test("are only counted in a dry run, and not asked for when they are kept for ever", async () => {
    const { old, asked, left } = oldThings();
    const all = { raw: 1, logs: 1, runs: 1 };
    const dry = { ...options, keep: all, dryRun: true };
    const topic = topicOf({ high: 1, committed: 1, raws: [9] });
    expect(await prune(old, topic, dry)).toEqual({ raw: 100, logs: 5000, runs: 4000 });
    expect({ asked, left }).toEqual({ asked: ["outbox"], left: { logs: 5000, runs: 4000 } });
    const none = { ...options, keep: { raw: 0, logs: 0, runs: 0 } };
    expect(await prune(old, topic, none)).toEqual({ raw: 0, logs: 0, runs: 0 });
  });
});

test("old logs and runs go to the last one", async () => {
  const { old, left } = oldThings();
  const both = { ...options, keep: { raw: 0, logs: 30, runs: 365 } };
  expect(await prune(old, topicOf(), both)).toEqual({ raw: 0, logs: 5000, runs: 4000 });
  expect(left).toEqual({ logs: 0, runs: 0 });
});

test("the hourly look ends with the signal, though the store never answers", async () => {
  const stop = new AbortController();
  const { old } = oldThings();
  const asked = Promise.withResolvers<void>();
  const hanging = {
    ...old,
    prune: () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  };
  const logs = { raw: 0, logs: 1, runs: 0 };
  const looking = pruneHourly(hanging, topicOf(), { keep: logs, log, signal: stop.signal });
  await asked.promise;
  stop.abort(new DOMException("stopped", "AbortError"));
  expect((await failureOf(looking)).message).toBe("stopped");
});

test("the hourly look goes on where nothing may be removed", async () => {
  const stop = new AbortController();
  const reasons: unknown[] = [];
  const telling = { ...log, warn: (fields: object) => void reasons.push(fields) } as typeof log;
  const { old } = oldThings();
  const look = { keep, log: telling, signal: stop.signal };
  const looking = pruneHourly(old, topicOf(), look);
  await until(() => reasons.length === 1);
  expect(reasons).toEqual([{ reason: "there is no topic t" }]);
  stop.abort(new DOMException("stopped", "AbortError"));
  expect((await failureOf(looking)).message).toBe("stopped");
});
