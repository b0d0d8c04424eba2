import { describe, expect, test } from "bun:test";
import { dlqRequest } from "../../lib/dlq-arguments.ts";
import { PipelineError } from "../../lib/errors.ts";

type Given = Parameters<typeof dlqRequest>[1];

describe("a request", () => {
  test("to list is for all that is open", () => {
    expect(dlqRequest(["list"], {})).toEqual({
      ...{ action: "list", filter: {}, state: "open", dryRun: false },
    });
  });

  test("has a filter of all that is given", () => {
    const given: Given = {
      ...{
        reason: "email",
        stage: "decode",
        from: "2026-01-31",
        to: "2026-01-31T12:00:00.5+02:00",
      },
      ...{ partition: "0", offset: "3..9", origin: "users/0/4", where: "topic", limit: "7" },
    };
    expect(dlqRequest(["replay", "raw/12"], { ...given, "dry-run": true })).toEqual({
      action: "replay",
      filter: {
        ...{ ids: ["raw/12", "users/0/4"], where: "topic", reason: "email", stage: "decode" },
        ...{ fromMs: Date.UTC(2026, 0, 31), toMs: Date.UTC(2026, 0, 31, 10, 0, 0, 500) },
        ...{ partition: 0, offsets: { first: 3, last: 9 } },
      },
      ...{ state: "open", limit: 7, dryRun: true },
    });
  });

  test("may name one offset, and times in UTC without a zone", () => {
    const { filter } = dlqRequest(["list"], { offset: "5", from: "2026-01-31 12:30" });
    expect(filter).toEqual({
      ...{ offsets: { first: 5, last: 5 }, fromMs: Date.UTC(2026, 0, 31, 12, 30) },
    });
  });

  test("to show is for one letter, in whatever state", () => {
    expect(dlqRequest(["show", "users/0/4"], {})).toMatchObject({
      ...{ action: "show", filter: { ids: ["users/0/4"] }, state: "all" },
    });
  });

  test("to change all of them says so", () => {
    for (const action of ["replay", "purge"]) {
      expect(dlqRequest([action], { all: true })).toMatchObject({ action, filter: {} });
    }
  });
});

describe("wrong is", () => {
  test.each<[string[], Given, string]>([
    [[], {}, "expected one of list, show, replay, purge"],
    [["delete"], {}, "expected one of"],
    [["replay"], {}, "replay needs to know which letters"],
    [["purge"], { limit: "5" }, "purge needs to know which letters"],
    [["purge"], { all: true, reason: "x" }, "--all goes without a filter"],
    [["replay", "raw/1"], { all: true }, "--all goes without a filter"],
    [["list"], { all: true }, "--all goes with"],
    [["list"], { "dry-run": true }, "--dry-run goes with"],
    [["purge"], { all: true, state: "open" }, "--state goes with list"],
    [["show"], {}, "show needs one id"],
    [["show", "raw/1", "raw/2"], {}, "show needs one id"],
    [["list", "users/0"], {}, "expected topic/partition/offset or raw/ID"],
    [["list", "raw/-1"], {}, '"raw/-1"'],
    [["list"], { where: "both" }, '--where="both": expected topic, raw'],
    [["list"], { state: "" }, "--state"],
    [["list"], { limit: "0" }, '--limit="0": expected a whole number from 1 on'],
    [["list"], { partition: "-1" }, "--partition"],
    [["list"], { offset: "9..3" }, '--offset="9..3": expected an offset, or a range'],
    [["list"], { offset: "1..2..3" }, "--offset"],
    [["list"], { from: "yesterday" }, '--from="yesterday": expected a time such as'],
    [["list"], { to: "2026-13-01" }, "--to"],
    [["list"], { to: "2026-02-30T25:00Z" }, "--to"],
    [["list"], { from: "2026-01-02", to: "2026-01-01" }, "is not before"],
  ])("%j %j", (positionals, given, words) => {
    try {
      dlqRequest(positionals, given);
      throw new Error("taken");
    } catch (error) {
      expect(error).toBeInstanceOf(PipelineError);
      expect(error).toMatchObject({ code: "usage", message: expect.stringContaining(words) });
    }
  });
});
