import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createLimit, type Limit, type StartedRequest } from "../../../lib/sink/limit.ts";
import { simulate } from "../../simulated-store.ts";

/** Always as many, whatever happens: what the limit is compared with. */
const fixed = (slots: number): Limit => {
  let inFlight = 0;
  return {
    slots,
    get inFlight() {
      return inFlight;
    },
    start: () => {
      inFlight += 1;
      return 0;
    },
    end: () => {
      inFlight -= 1;
    },
  };
};

describe("a store that keeps up", () => {
  test("gets all the requests it may have, within a second", () => {
    const limit = createLimit();
    const { answered } = simulate(limit).run(1, 2500);
    expect(limit.slots).toBe(128);
    expect(answered).toBeGreaterThan(0.95 * 2500);
  });

  test("gets no more than it has used", () => {
    const limit = createLimit({ first: 10 });
    for (let i = 0; i < 1000; i++) limit.end(limit.start(), { ms: 1 });
    expect(limit.slots).toBe(10);
  });
});

describe("a store that slows down", () => {
  test("has fewer requests at once, answers each in time, and loses no throughput", () => {
    const limit = createLimit();
    const store = simulate(limit).run(5, 2500);
    const before = store.answered;
    store.run(120, 20);
    expect(store.timedOut).toBe(0);
    expect(store.answered - before).toBeGreaterThan(0.99 * 120 * 20);
    expect(store.lastMs).toBeLessThan(1000);
    expect(limit.slots).toBeLessThan(20);
  });

  test("to a thousandth is met by no storm of time-outs, as with a fixed number in flight", () => {
    const limit = createLimit();
    const store = simulate(limit).run(5, 2500);
    const before = store.answered;
    store.run(600, 2);
    const { timedOut } = store;
    expect(timedOut).toBeLessThan(4 * 128);
    expect(limit.slots).toBeLessThan(5);
    expect(store.run(600, 2).timedOut).toBe(timedOut);
    expect(store.answered - before).toBeGreaterThan(0.9 * 1200 * 2 - timedOut);

    const storm = simulate(fixed(64));
    const stormBefore = storm.run(5, 2500).answered;
    storm.run(1200, 2);
    expect(storm.answered - stormBefore).toBeLessThan(100);
    expect(storm.timedOut).toBeGreaterThan(5000);
  });

  test("has them back soon after it is fast again", () => {
    const limit = createLimit();
    const store = simulate(limit).run(5, 2500).run(300, 2);
    const before = store.answered;
    store.run(10, 2500);
    expect(store.answered - before).toBeGreaterThan(0.9 * 10 * 2500);
  });
});

describe("the number of requests in flight", () => {
  test("is halved once for all that time out together", () => {
    const limit = createLimit({ first: 100 });
    const together = Array.from({ length: 100 }, () => limit.start());
    for (const request of together) limit.end(request, "overloaded");
    expect(limit.slots).toBe(50);
  });

  test("falls to one, and never below, when every round times out", () => {
    const limit = createLimit();
    for (let i = 0; i < 20; i++) limit.end(limit.start(), "overloaded");
    expect(limit.slots).toBe(1);
    limit.end(limit.start(), { ms: 1 });
    expect(limit.slots).toBe(2);
  });

  test("stays between one and the maximum, whatever comes", () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant("start" as const) }),
        fc.record({ do: fc.constant("end" as const), which: fc.nat(), ms: fc.nat(20_000) }),
        fc.record({ do: fc.constant("overloaded" as const), which: fc.nat() }),
      ),
      { maxLength: 500 },
    );
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 200 }),
        (all, max, first) => {
          const limit = createLimit({ max, first });
          const running: StartedRequest[] = [];
          for (const step of all) {
            const before = limit.slots;
            if (step.do === "start") running.push(limit.start());
            else {
              const [request] = running.splice(step.which % Math.max(1, running.length), 1);
              if (request === undefined) continue;
              limit.end(request, step.do === "end" ? { ms: step.ms } : "overloaded");
            }
            expect(limit.inFlight).toBe(running.length);
            expect(limit.slots).toBeWithin(1, max + 1);
            expect(limit.slots).toBeLessThanOrEqual(before + 1);
            if (step.do === "overloaded") expect(limit.slots).toBeLessThanOrEqual(before);
          }
        },
      ),
    );
  });
});
