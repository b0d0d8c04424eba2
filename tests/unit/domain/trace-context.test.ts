import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseTraceContext, traceIdOf } from "../../../lib/domain/trace-context.ts";

const [trace, parent] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
const good = `00-${trace}-${parent}-01`;
const parsed = (traceparent?: string) => parseTraceContext({ traceparent })?.traceparent;

describe("a traceparent", () => {
  test("is read as it is", () => {
    expect(parseTraceContext({ traceparent: good })).toEqual({
      ...{ traceparent: good, tracestate: null },
    });
    expect(traceIdOf({ traceparent: good })).toBe(trace);
  });

  test("keeps of its flags those that are known: recorded, and random", () => {
    const flags = ["00", "01", "02", "03", "04", "08", "ff"];
    expect(flags.map((each) => parsed(`00-${trace}-${parent}-${each}`)?.slice(-2))).toEqual([
      ...["00", "01", "02", "03", "00", "00", "03"],
    ]);
  });

  test("of a version to come is read as far as it is known", () => {
    expect(parsed(`01-${trace}-${parent}-01`)).toBe(good);
    expect(parsed(`cc-${trace}-${parent}-01-what the future has`)).toBe(good);
    expect(parsed(`cc-${trace}-${parent}-01-`)).toBe(good);
    expect(parsed(`cc-${trace}-${parent}-01.what`)).toBeUndefined();
  });

  test.each([
    ["nothing", ""],
    ["a version that is forbidden", `ff-${trace}-${parent}-01`],
    ["more than its version has", `${good}-what`],
    ["more than its version has, if nothing", `${good}-`],
    ["no trace", `00-${"0".repeat(32)}-${parent}-01`],
    ["no parent", `00-${trace}-${"0".repeat(16)}-01`],
    ["upper case", good.toUpperCase()],
    ["a trace that is too short", `00-${trace.slice(1)}-${parent}-01`],
    ["a trace that is too long", `00-${trace}0-${parent}-01`],
    ["a parent that is too short", `00-${trace}-${parent.slice(1)}-01`],
    ["a parent that is too long", `00-${trace}-${parent}0-01`],
    ["flags that are too short", `00-${trace}-${parent}-1`],
    ["flags that are too long", `00-${trace}-${parent}-001`],
    ["flags that are no number", `00-${trace}-${parent}-.0`],
    ["a version that is no number", `.0-${trace}-${parent}-01`],
    ["other separators", good.replaceAll("-", "_")],
    ["two of them", `${good}, ${good}`],
    ["a line after it", `${good}\n`],
  ])("with %s counts as none", (_, given) => {
    expect(parseTraceContext({ traceparent: given, tracestate: "a=1" })).toBeUndefined();
  });

  test("is never an exception, and what is read of it is read the same again", () => {
    const part = (length: number) =>
      fc.array(fc.constantFrom(..."0af-g"), { maxLength: length }).map((all) => all.join(""));
    const any = fc.tuple(part(2), part(33), part(17), part(3)).map((parts) => parts.join("-"));
    fc.assert(
      fc.property(fc.oneof(any, fc.string()), fc.string(), (traceparent, tracestate) => {
        const read = parseTraceContext({ traceparent, tracestate });
        if (read) expect(parsed(read.traceparent)).toBe(read.traceparent);
        const other = parseTraceContext({ traceparent: good, tracestate })?.tracestate ?? "";
        expect(other).toMatch(/^[\x20-\x7e]{0,512}$/);
      }),
    );
  });
});

describe("a tracestate", () => {
  const state = (tracestate?: string) =>
    parseTraceContext({ traceparent: good, tracestate })?.tracestate;

  test.each([
    ["a=1", "a=1"],
    ["a=1,b=2", "a=1,b=2"],
    ["a=1 ,\tb=2", "a=1,b=2"],
    [",a=1,,b=2,", "a=1,b=2"],
    ["fw529a3039@dt=FfFf:1;2 /x", "fw529a3039@dt=FfFf:1;2 /x"],
    ["0a_*/-=1", "0a_*/-=1"],
    [`${"k".repeat(256)}=${"v".repeat(256)}`, null],
    [`${"k".repeat(100)}=${"v".repeat(256)}`, `${"k".repeat(100)}=${"v".repeat(256)}`],
  ])("of %j is %j", (given, expected) => {
    expect(state(given)).toBe(expected);
  });

  test.each(
    [
      [
        "",
        "a",
        "=1",
        "a=",
        "a= ",
        "a==1",
        "a=1=2",
        "A=1",
        "a b=1",
        "a=é",
        "a=\u0000",
        "a=1;\n",
        "@a=1",
      ],
      [
        "a@=1",
        "a@1=1",
        "a@b@c=1",
        "a=1,a=2",
        "a=1,b",
        `${"k".repeat(257)}=1`,
        `k=${"v".repeat(257)}`,
      ],
      [Array.from({ length: 33 }, (_, n) => `k${n}=1`).join(",")],
    ].flat(),
  )("of %j is dropped, and the trace is kept", (given) => {
    expect(state(given)).toBeNull();
  });

  test("that is too long loses long members first, then the last ones", () => {
    const long = `l=${"v".repeat(200)}`;
    const short = (n: number) => `k${n}=${"v".repeat(96)}`;
    expect(state([short(1), long, short(2), long.replace("l", "m")].join(","))).toBe(
      [short(1), short(2)].join(","),
    );
    const many = [1, 2, 3, 4, 5, 6].map(short);
    expect(state(many.join(","))).toBe(many.slice(0, 5).join(","));
    expect(state(many.slice(0, 5).join(","))?.length).toBeLessThanOrEqual(512);
  });
});
