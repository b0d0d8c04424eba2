import { describe, expect, test } from "bun:test";
import { PipelineError } from "../../../../lib/errors.ts";
import { faultKinds, parseFaults } from "../../../../lib/local/fake-api/faults.ts";

const always = Number.POSITIVE_INFINITY;

describe("a fault's text", () => {
  test.each([
    ["500", [{ kind: "500", amount: 0, times: always }]],
    ["500:3", [{ kind: "500", amount: 0, times: 3 }]],
    ["invalid=0.01", [{ kind: "invalid", amount: 0.01, times: always }]],
    ["slow=5000:2", [{ kind: "slow", amount: 5000, times: 2 }]],
    [
      "429:1,short",
      [
        { kind: "429", amount: 0, times: 1 },
        { kind: "short", amount: 1, times: always },
      ],
    ],
  ])("%s is understood", (text, faults) => {
    expect(parseFaults(text) as unknown).toEqual(faults);
  });

  test.each(["", "gremlins", "500:", "500:x", "slow=", "slow=1.2.3", "500,,429", "toString"])(
    "%p is a usage error that lists the kinds",
    (text) => {
      const reading = () => parseFaults(text);
      expect(reading).toThrow(PipelineError);
      for (const kind of Object.keys(faultKinds)) expect(reading).toThrow(kind);
    },
  );
});
