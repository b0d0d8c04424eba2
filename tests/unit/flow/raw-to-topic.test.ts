import { describe, expect, test } from "bun:test";
import { recordOf, wholeHeader } from "../../../lib/domain/event.ts";
import { PipelineError } from "../../../lib/errors.ts";
import {
  type Outbox,
  type Publisher,
  type RelayResult,
  rawToTopic,
  relayOnce,
} from "../../../lib/flow/raw-to-topic.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { sleep } from "../../../lib/sleep.ts";
import { failureOf } from "../../failure.ts";
import { createFakeOutbox } from "../../fakes/outbox.ts";
import { createFakePublisher } from "../../fakes/publisher.ts";
import { until } from "../../until.ts";
import { apiUsers, record } from "../../users.ts";

const outboxRows = (payloads: readonly unknown[], first = 1) =>
  payloads.map((payload, at) => ({ raw: first + at, run: 7, version: 1000 + first + at, payload }));
const refusing = (error: Error): Publisher => ({ publish: () => Promise.reject(error) });

test("a batch that is out of the outbox is told of, with how long each phase took", async () => {
  const [outbox, stop] = [createFakeOutbox(), new AbortController()];
  const slow: Outbox = {
    ...outbox,
    take: async (limit, handle) => {
      await sleep(20);
      const rows = await outbox.take(limit, handle);
      await sleep(60);
      return rows;
    },
  };
  const rejection = { path: "", reason: "record: too large" };
  const topic: Publisher = { publish: () => sleep(40).then(() => [{ index: 1, rejection }]) };
  outbox.add(...outboxRows([null, ...apiUsers(3)]));
  const told: RelayResult[] = [];
  const onBatch = (batch: RelayResult) => {
    expect(outbox.pending).toEqual([]);
    told.push(batch);
  };
  const started = performance.now();
  const work = failureOf(rawToTopic(slow, topic, { onBatch, log, signal: stop.signal }));
  await until(() => told.length > 0);
  const all = performance.now() - started;
  stop.abort(new DOMException("stopped", "AbortError"));
  await work;
  expect(told).toMatchObject([{ rows: 4, refused: 2 }]);
  const { take = 0, encode = 0, wait = 0, publish = 0, commit = 0 } = told[0]?.ms ?? {};
  // Timers may ring a millisecond early.
  expect(take).toBeGreaterThanOrEqual(19);
  expect(publish).toBeGreaterThanOrEqual(39);
  expect(commit).toBeGreaterThanOrEqual(59);
  expect(take + encode + wait + publish + commit).toBeLessThanOrEqual(all);
});

describe("one batch", () => {
  test("goes to the topic with key, version, run and raw row", async () => {
    const [outbox, topic] = [createFakeOutbox(), createFakePublisher()];
    const [ada] = apiUsers(1);
    outbox.add(...outboxRows([ada]));
    expect(await relayOnce(outbox, topic, 10)).toBe(1);
    const [event] = topic.published;
    const headers = Object.assign({}, ...(event?.headers ?? []));
    expect(event?.key).toBe(ada?.login.uuid ?? "");
    expect(["version", "run", "raw"].map((name) => wholeHeader(record({ headers }), name))).toEqual(
      [1001, 7, 1],
    );
    expect(outbox.pending).toEqual([]);
  });

  test("has the record as it was made when its user was judged", async () => {
    const [outbox, topic] = [createFakeOutbox(), createFakePublisher()];
    outbox.add({ raw: 1, run: 7, version: 1001, key: "k", value: '{"made":1}', payload: null });
    expect(await relayOnce(outbox, topic, 10)).toBe(1);
    expect(topic.published).toEqual([
      recordOf({ key: "k", value: '{"made":1}', version: 1001 }, { run: 7, raw: 1 }),
    ]);
  });

  test("names the trace of its run, whether its record was made before or is made now", async () => {
    const [outbox, topic] = [createFakeOutbox(), createFakePublisher()];
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const trace = { traceparent, tracestate: "a=1" };
    const [ada] = apiUsers(1);
    const key = ada?.login.uuid ?? "";
    const [row] = outboxRows([ada]).map((each) => ({ ...each, trace }));
    if (!row) throw new Error("no row");
    outbox.add(row);
    await relayOnce(outbox, topic, 10);
    const value = topic.published[0]?.value ?? "";
    outbox.add({ ...row, key, value, payload: null });
    await relayOnce(outbox, topic, 10);
    const [first, second] = topic.published;
    expect(first?.headers.slice(4)).toEqual([{ traceparent }, { tracestate: "a=1" }]);
    expect(second).toEqual(first as NonNullable<typeof first>);
  });

  test("stays in the outbox when it is refused", async () => {
    const outbox = createFakeOutbox();
    outbox.add(...outboxRows(apiUsers(2)));
    const down = new PipelineError("unavailable", "broker down");
    expect(await failureOf(relayOnce(outbox, refusing(down), 10))).toBe(down);
    expect(outbox.pending).toHaveLength(2);
  });

  test("is out of the outbox only after the topic has acknowledged it", async () => {
    const outbox = createFakeOutbox();
    outbox.add(...outboxRows(apiUsers(1)));
    const acknowledged = Promise.withResolvers<[]>();
    const relayed = relayOnce(outbox, { publish: () => acknowledged.promise }, 10);
    expect(outbox.pending).toHaveLength(1);
    acknowledged.resolve([]);
    await relayed;
    expect(outbox.pending).toEqual([]);
  });

  test("leaves out a row that is no user, with the reason, and publishes its neighbours", async () => {
    const [outbox, topic] = [createFakeOutbox(), createFakePublisher()];
    const [first, bad, last] = apiUsers(3);
    outbox.add(...outboxRows([first, { ...bad, phone: 5 }, last]));
    expect(await relayOnce(outbox, topic, 10)).toBe(3);
    expect(topic.published.map(({ key }) => key)).toEqual([
      first?.login.uuid ?? "",
      last?.login.uuid ?? "",
    ]);
    expect(outbox.rejected).toEqual([{ path: "phone", reason: "phone: 5 is not text" }]);
    expect(outbox.pending).toEqual([]);
  });

  test("names the right row when the topic refuses one behind a row that is no user", async () => {
    const outbox = createFakeOutbox();
    const rejected: number[] = [];
    const [first, second] = apiUsers(2);
    outbox.add(...outboxRows([null, first, second]));
    const rejection = { path: "", reason: "record: too large" };
    const topic: Publisher = { publish: async () => [{ index: 1, rejection }] };
    const spying = {
      ...outbox,
      take: (limit: number, handle: Parameters<typeof outbox.take>[1]) =>
        outbox.take(limit, async (rows, stillOurs) => {
          const refused = await handle(rows, stillOurs);
          rejected.push(...refused.map(({ index }) => index));
          return refused;
        }),
    };
    await relayOnce(spying, topic, 10);
    expect(rejected).toEqual([0, 2]);
  });
});

describe("a batch that was lost to another relay", () => {
  test("is not published, and stays the other's", async () => {
    const [outbox, topic] = [createFakeOutbox(), createFakePublisher()];
    outbox.add(...outboxRows(apiUsers(2)));
    const losing: Outbox = {
      ...outbox,
      take: (limit, handle) =>
        outbox.take(limit, async (rows, stillOurs) => {
          outbox.lose();
          return await handle(rows, stillOurs);
        }),
    };
    const error = await failureOf(relayOnce(losing, topic, 10));
    expect(error).toMatchObject({ name: "PipelineError", code: "unavailable" });
    expect(topic.published).toEqual([]);
    expect(outbox.pending).toHaveLength(2);
  });
});

describe("the relay", () => {
  test("moves batch after batch, then waits for more, until the signal aborts", async () => {
    const [outbox, topic, stop] = [
      createFakeOutbox(),
      createFakePublisher(),
      new AbortController(),
    ];
    outbox.add(...outboxRows(apiUsers(5)));
    const relaying = rawToTopic(outbox, topic, { batchRows: 2, log, signal: stop.signal });
    await until(() => topic.published.length === 5);
    outbox.add(...outboxRows(apiUsers(1), 6));
    await until(() => topic.published.length === 6);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await failureOf(relaying)).message).toBe("stopped");
    expect(outbox.pending).toEqual([]);
  });

  test("waits for a topic that is down, and then loses nothing", async () => {
    const [outbox, topic, stop] = [
      createFakeOutbox(),
      createFakePublisher(),
      new AbortController(),
    ];
    outbox.add(...outboxRows(apiUsers(3)));
    let failures = 2;
    const ailing: Publisher = {
      publish: (events) =>
        failures-- > 0
          ? Promise.reject(new PipelineError("unavailable", "broker down"))
          : topic.publish(events),
    };
    const relaying = rawToTopic(outbox, ailing, { log, signal: stop.signal });
    await until(() => outbox.pending.length === 0);
    stop.abort();
    await failureOf(relaying);
    expect(topic.published).toHaveLength(3);
  });

  test("holds no row while it waits for a topic that is down", async () => {
    const [outbox, stop] = [createFakeOutbox(), new AbortController()];
    outbox.add(...outboxRows(apiUsers(1)));
    let calls = 0;
    const down: Publisher = {
      publish: () => {
        calls += 1;
        return Promise.reject(
          new PipelineError("unavailable", "down", { retryAfterMs: 3_600_000 }),
        );
      },
    };
    const relaying = rawToTopic(outbox, down, { log, signal: stop.signal });
    await until(() => calls === 1);
    expect(await outbox.take(1, async () => [])).toBe(1);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await failureOf(relaying)).message).toBe("stopped");
  });

  test("takes one batch more while the topic acknowledges one, and publishes it after that", async () => {
    const [outbox, stop] = [createFakeOutbox(), new AbortController()];
    outbox.add(...outboxRows(apiUsers(6)));
    const acknowledged = Promise.withResolvers<void>();
    const published: number[] = [];
    const slow: Publisher = {
      publish: async (events) => {
        published.push(events.length);
        await acknowledged.promise;
        return [];
      },
    };
    let inHand = 0;
    const counting: Outbox = {
      ...outbox,
      take: (limit, handle) =>
        outbox.take(limit, (rows, stillOurs) => {
          inHand += rows.length;
          return handle(rows, stillOurs);
        }),
    };
    const relaying = rawToTopic(counting, slow, { batchRows: 2, log, signal: stop.signal });
    await until(() => inHand === 4 && published.length > 0);
    expect(published).toEqual([2]);
    acknowledged.resolve();
    await until(() => outbox.pending.length === 0);
    stop.abort();
    await failureOf(relaying);
    expect({ inHand, published }).toEqual({ inHand: 6, published: [2, 2, 2] });
  });

  test("gives both batches back when the one before fails, and publishes no second one", async () => {
    const [outbox, stop] = [createFakeOutbox(), new AbortController()];
    outbox.add(...outboxRows(apiUsers(4)));
    const failure = Promise.withResolvers<[]>();
    let calls = 0;
    const down: Publisher = {
      publish: () => {
        calls += 1;
        return failure.promise;
      },
    };
    let taken = 0;
    const counting: Outbox = {
      ...outbox,
      take: (limit, handle) =>
        outbox.take(limit, (rows, stillOurs) => {
          taken += rows.length;
          return handle(rows, stillOurs);
        }),
    };
    const relaying = rawToTopic(counting, down, { batchRows: 2, log, signal: stop.signal });
    await until(() => taken === 4);
    failure.reject(new PipelineError("unavailable", "down", { retryAfterMs: 3_600_000 }));
    let free = 0;
    await until(async () => {
      free += await outbox.take(4, async () => []);
      return free === 4;
    });
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await failureOf(relaying)).message).toBe("stopped");
    expect(calls).toBe(1);
  });

  test("gives a batch back when the taker before it has lost its connection and stands still", async () => {
    const [outbox, topic, stop] = [
      createFakeOutbox(),
      createFakePublisher(),
      new AbortController(),
    ];
    outbox.add(...outboxRows(apiUsers(4)));
    const lost = Promise.withResolvers<number>();
    let takes = 0;
    let standing = false;
    let ended = 0;
    const losing: Outbox = {
      ...outbox,
      take: async (limit, handle) => {
        takes += 1;
        if (takes > 1) {
          await until(() => standing);
          return await outbox.take(limit, handle).finally(() => ended++);
        }
        const still = () => {
          standing = true;
          return new Promise<never>(() => {});
        };
        void outbox.take(limit, (rows) => handle(rows, still));
        return await lost.promise;
      },
    };
    const relaying = rawToTopic(losing, topic, { batchRows: 2, log, signal: stop.signal });
    await until(() => takes === 2 && outbox.inHand === 4);
    lost.reject(new PipelineError("unavailable", "lost", { retryAfterMs: 3_600_000 }));
    await until(() => ended === 1);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await failureOf(relaying)).message).toBe("stopped");
    expect(topic.published).toEqual([]);
  });

  test("ends with what will never pass", async () => {
    const outbox = createFakeOutbox();
    outbox.add(...outboxRows(apiUsers(1)));
    const bug = new TypeError("a bug");
    const signal = new AbortController().signal;
    expect(await failureOf(rawToTopic(outbox, refusing(bug), { log, signal }))).toBe(bug);
  });
});
