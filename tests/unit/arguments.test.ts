import { describe, expect, test } from "bun:test";
import { type GivenRun, runRequest, userId } from "../../lib/arguments.ts";

const defaults = { results: 1000, nat: ["gb"] };
const asked = (given: GivenRun) => runRequest({ once: true, ...given }, defaults);

describe("the run that options ask for", () => {
  test("takes what is not given from the settings", () => {
    expect(asked({})).toEqual({ trigger: "manual", results: 1000, nat: ["gb"] });
    expect(runRequest({}, defaults)).toEqual({ trigger: "manual", ...defaults });
  });

  test("has the number of users, seed and nationalities given", () => {
    expect(asked({ results: "5", seed: "mine", nat: "US, gb" })).toEqual({
      ...{ trigger: "manual", results: 5, nat: ["us", "gb"], seed: "mine" },
    });
  });

  test.each<[GivenRun, string]>([
    [{ results: "0" }, "--results"],
    [{ results: "-1" }, "--results"],
    [{ results: "1.5" }, "--results"],
    [{ results: "1000001" }, "--results"],
    [{ results: "many" }, "--results"],
    [{ results: "" }, "--results"],
    [{ nat: "xx" }, "--nat"],
    [{ nat: "" }, "--nat"],
    [{ seed: "" }, "--seed"],
    [{ seed: "a b" }, "--seed"],
    [{ seed: "x".repeat(65) }, "--seed"],
  ])("is refused as wrong usage for %j", (given, option) => {
    expect(() => asked(given)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringContaining(option) }),
    );
  });

  test("is refused with all its faults at once", () => {
    expect(() => asked({ results: "0", nat: "gb,xx", seed: "" })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/--results.*\n.*--nat.*\n.*--seed/),
      }),
    );
  });

  test.each<GivenRun>([{ results: "5" }, { seed: "x" }, { nat: "gb" }, { json: true }])(
    "is refused without --once: %j",
    (given) => {
      expect(() => runRequest(given, defaults)).toThrow(
        expect.objectContaining({ code: "usage", message: expect.stringContaining("--once") }),
      );
    },
  );
});

describe("the id of a user", () => {
  const id = "0f8fad5b-d9cb-469f-a165-70867728950e";

  test("is taken in either case", () => {
    expect(userId([id])).toBe(id);
    expect(userId([id.toUpperCase()])).toBe(id);
  });

  test.each([[[]], [[""]], [["42"]], [[id, id]], [[`${id}0`]], [[id.replaceAll("-", "")]]])(
    "is not %j",
    (given) => {
      expect(() => userId(given)).toThrow("expected the id of one user");
    },
  );
});
