import { describe, expect, test } from "bun:test";
import type { Change } from "../../../lib/domain/change.ts";
import { createEventHub } from "../../../lib/http/event-hub.ts";
import { eventTypes, type Wanted } from "../../../lib/http/event-text.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { listenTo } from "../../event-stream.ts";
import { createFakeBell } from "../../fakes/bell.ts";
import { until } from "../../until.ts";

const all: Wanted = { types: eventTypes };

/** A hub over changes in memory. `forgotten` are those up to that id. */
function hub() {
  const bell = createFakeBell();
  const changes: Change[] = [];
  const asked = { since: 0, pipeline: 0 };
  const newest = () => changes.at(-1)?.id ?? 0;
  const it = createEventHub({
    feed: {
      newest: async () => newest(),
      since: async (position, limit) => {
        asked.since += 1;
        const found = changes.filter(({ id }) => id > position).slice(0, limit);
        const more = found.length === limit;
        return { changes: found, position: found.at(-1)?.id ?? position, more };
      },
      forget: async () => {},
      wait: bell.wait,
    },
    pipeline: {
      now: async () => {
        asked.pipeline += 1;
        return { at: "now" };
      },
    },
    log,
  });
  const stop = new AbortController();
  const running = it.run(stop.signal);
  const open = (wanted = all, after?: number) => {
    const stream = it.open(wanted, after);
    if (!stream) throw new Error("no stream");
    return stream;
  };
  return {
    ...it,
    asked,
    changes,
    open,
    listen: (wanted = all, after?: number) => listenTo(open(wanted, after)),
    /** A change of a run, with so many characters in it. */
    change: (run: number, size = 0) => {
      changes.push({
        id: newest() + 1,
        type: "run",
        run,
        data: { id: run, seed: "x".repeat(size) },
      } as never);
      bell.ring();
    },
    stop: async () => {
      stop.abort(new DOMException("stopped", "AbortError"));
      await running;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

const ids = (told: readonly { id: string | undefined }[]) =>
  told.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));

describe("a stream", () => {
  test("says where it begins, and tells what changes from then on", async () => {
    await using it = hub();
    it.change(1);
    await using listener = it.listen();
    await until(() => listener.lastId === "1");
    it.change(7);
    it.change(8);
    await listener.hears("run", 2);
    expect(listener.told.filter(({ event }) => event === "run")).toEqual([
      { id: "2", event: "run", data: { id: 7, seed: "" } },
      { id: "3", event: "run", data: { id: 8, seed: "" } },
    ]);
  });

  test("tells how the stations stand, at first and from time to time, without an id", async () => {
    await using it = hub();
    await using first = it.listen();
    await first.hears("pipeline", 2);
    await using second = it.listen();
    await second.hears("pipeline");
    expect(second.told[0]).toEqual({ id: undefined, event: "pipeline", data: { at: "now" } });
  });

  test("tells of the types and of the run that are wanted alone", async () => {
    await using it = hub();
    await using ofRun = it.listen({ types: ["run"], run: 2 });
    await using ofSchedule = it.listen({ types: ["schedule"] });
    await until(() => ofRun.lastId === "0" && ofSchedule.lastId === "0");
    it.change(1);
    it.change(2);
    it.changes.push({ id: 3, type: "schedule", data: {} as never });
    it.change(2);
    await ofRun.hears("run", 2);
    await ofSchedule.hears("schedule");
    expect(ids(ofRun.told)).toEqual([2, 4]);
    expect(ids(ofSchedule.told)).toEqual([3]);
  });

  test("goes on after the event that it is asked to", async () => {
    await using it = hub();
    for (let run = 1; run <= 5; run++) it.change(run);
    await using listener = it.listen(all, 3);
    await listener.hears("run", 2);
    it.change(6);
    await listener.hears("run", 3);
    expect(ids(listener.told)).toEqual([4, 5, 6]);
  });

  test.each([
    ["was forgotten", 1],
    ["never was", 9999],
  ])("that is to go on after an event that %s is told to look anew", async (_, after) => {
    await using it = hub();
    for (let n = 0; n < 2500; n++) it.change(n);
    await using listener = it.listen(all, after);
    await listener.hears("resync");
    expect(listener.lastId).toBe("2500");
    it.change(1);
    await listener.hears("run");
    expect(ids(listener.told)).toEqual([2500, 2501]);
  });

  test("whose client takes nothing holds little, and misses nothing that is still known", async () => {
    await using it = hub();
    await using quick = it.listen({ types: ["run"] });
    const stream = it.open({ types: ["run"] });
    await until(() => quick.lastId === "0");
    for (let n = 0; n < 1500; n++) it.change(n, 1000);
    await quick.hears("run", 1500);
    await using slow = listenTo(stream);
    await slow.hears("run", 1500);
    expect(ids(slow.told)).toEqual(ids(quick.told));
  });

  test("whose client takes nothing for too long is told to look anew", async () => {
    await using it = hub();
    await using quick = it.listen({ types: ["run"] });
    const stream = it.open({ types: ["run"] });
    await until(() => quick.lastId === "0");
    for (let n = 1; n <= 5000; n++) {
      it.change(n, 1000);
      if (n % 500 === 0) await quick.hears("run", n);
    }
    await using slow = listenTo(stream);
    await slow.hears("resync");
    // What had been sent already, and no more than a client may leave lying.
    expect(slow.bytes).toBeLessThan(1_000_000);
    it.change(1);
    await until(() => slow.lastId === "5001");
  });
});

test("a stream that goes on after long ago is handed no more at once than its client takes", async () => {
  await using it = hub();
  for (let n = 1; n <= 1900; n++) it.change(n, 1000);
  const stream = it.open({ types: ["run"] }, 0);
  await using quick = it.listen({ types: ["run"] }, 0);
  await quick.hears("run", 1900);
  for (let n = 1; n <= 2500; n++) {
    it.change(n, 1000);
    if (n % 500 === 0) await quick.hears("run", 1900 + n);
  }
  // All it had not been handed is forgotten by now.
  await using slow = listenTo(stream);
  await slow.hears("resync");
  expect(slow.bytes).toBeLessThan(200_000);
});

describe("the hub", () => {
  test("asks nobody anything while nobody listens", async () => {
    await using it = hub();
    for (let n = 0; n < 10; n++) it.change(n);
    expect(it.asked).toEqual({ since: 0, pipeline: 0 });
    const listener = it.listen();
    await listener.hears("pipeline");
    expect(it.asked.since).toBeGreaterThan(0);
    await listener[Symbol.asyncDispose]();
  });

  test("reads once for all streams", async () => {
    await using it = hub();
    const listeners = Array.from({ length: 200 }, () => it.listen());
    for (const listener of listeners) await until(() => listener.lastId === "0");
    const before = it.asked.since;
    it.change(1);
    for (const listener of listeners) await listener.hears("run");
    expect(it.asked.since - before).toBeLessThan(20);
  });

  test("ends all streams when it is stopped, and opens none then", async () => {
    const it = hub();
    const listener = it.listen();
    await until(() => listener.lastId === "0");
    await it.stop();
    await until(() => listener.ended);
    expect(() => it.open()).toThrow("no stream");
  });
});
