import { describe, expect, test } from "bun:test";
import { faultKinds as sourceKinds } from "../../../lib/local/fake-api/faults.ts";
import { faultKinds, planOf } from "../../chaos/plan.ts";

describe("the plan of faults", () => {
  test("is the same for the same seed, and another one for another", () => {
    const plan = planOf({ seed: "1", minutes: 10 });
    expect(planOf({ seed: "1", minutes: 10 })).toEqual(plan);
    expect(planOf({ seed: "2", minutes: 10 })).not.toEqual(plan);
  });

  test.each(["1", "2", "3"])("of seed %s has every kind in ten minutes", (seed) => {
    const plan = planOf({ seed, minutes: 10 });
    expect(plan.length).toBeGreaterThanOrEqual(30);
    expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(Object.keys(faultKinds)));
  });

  test("hits every target of every kind in half an hour", () => {
    const plan = planOf({ seed: "1", minutes: 30 });
    const made = new Set(plan.map(({ kind, target }) => `${kind} on ${target}`));
    const all = Object.entries(faultKinds).flatMap(([kind, { targets }]) =>
      targets.map((target) => `${kind} on ${target}`),
    );
    expect(made).toEqual(new Set(all));
  });

  test.each([0.1, 0.5, 10])("of %d minutes begins its faults in order and in time", (minutes) => {
    const plan = planOf({ seed: "1", minutes });
    expect(plan.map(({ at }) => at)).toEqual(plan.map(({ at }) => at).sort((a, b) => a - b));
    for (const { kind, target, at, seconds } of plan) {
      expect(at).toBeLessThan(60 * minutes);
      expect(seconds).toBeWithin(0, Math.min(31, 6 * minutes + 0.1));
      expect(faultKinds[kind]?.targets).toContain(target);
    }
  });

  test("names only faults that the stand-in of the API knows", () => {
    const named = Object.keys(faultKinds).flatMap((kind) => /^source (.+)$/.exec(kind)?.[1] ?? []);
    expect(named.length).toBeGreaterThan(8);
    for (const name of named) expect(Object.keys(sourceKinds)).toContain(name);
  });
});
