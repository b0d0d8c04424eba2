import { describe, expect, test } from "bun:test";
import { closingLines, levelsOf } from "../levels.ts";

const report = `<testsuites name="bun test" tests="5">
  <testsuite name="tests/unit/a.test.ts" file="tests/unit/a.test.ts" tests="2">
    <testcase name="one" classname="" time="0" file="tests/unit/a.test.ts" line="1" assertions="1" />
    <testsuite name="group" file="tests/unit/a.test.ts">
      <testcase name="a &lt;failure&gt; &gt; b" classname="group" file="tests/unit/a.test.ts" assertions="0" />
    </testsuite>
  </testsuite>
  <testsuite name="tests/faults/b.test.ts" file="tests/faults/b.test.ts" tests="3">
    <testcase name="two" classname="" file="tests/faults/b.test.ts" line="2" assertions="1">
      <failure type="AssertionError" message="no">no</failure>
    </testcase>
    <testcase name="three" classname="" file="tests/faults/b.test.ts" line="3" assertions="0">
      <skipped message="TODO" />
    </testcase>
    <testcase name="four" classname="" file="tests/faults/b.test.ts" line="4" assertions="1" />
  </testsuite>
</testsuites>`;

test("tests are counted by the first folder below tests/", () => {
  expect(levelsOf(report)).toEqual([
    { name: "faults", passed: 1, failed: 1, skipped: 1 },
    { name: "unit", passed: 2, failed: 0, skipped: 0 },
  ]);
});

test("a run without a report has no levels", () => {
  expect(levelsOf("")).toEqual([]);
});

describe("the closing lines", () => {
  test("are one for each level, then the sum", () => {
    expect(closingLines(levelsOf(report), 1)).toEqual([
      "faults: 1 passed, 1 failed, 1 skipped",
      "unit: 2 passed, 0 failed",
      "3 passed, 1 failed",
    ]);
  });

  test("tell of a failure that is no test's", () => {
    const levels = [{ name: "unit", passed: 2, failed: 0, skipped: 0 }];
    expect(closingLines(levels, 1).at(-1)).toBe("2 passed, 1 failed");
    expect(closingLines(levels, 0).at(-1)).toBe("2 passed, 0 failed");
  });

  test("count nothing where nothing ran", () => {
    expect(closingLines([], 0)).toEqual(["0 passed, 0 failed"]);
  });
});
