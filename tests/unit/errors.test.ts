import { describe, expect, test } from "bun:test";
import { messageChain, PipelineError } from "../../lib/errors.ts";

describe("an error of a neighbour", () => {
  test.each(["unavailable", "timeout", "rate_limited", "bad_response"] as const)(
    "with code %s passes",
    (code) => {
      expect(new PipelineError(code, "no").retryable).toBe(true);
    },
  );

  test.each(["refused", "fenced", "cancelled", "setup", "usage"] as const)(
    "with code %s does not pass",
    (code) => {
      expect(new PipelineError(code, "no").retryable).toBe(false);
    },
  );

  test("has its cause and how long to stay away, or nothing", () => {
    const cause = new Error("socket");
    const error = new PipelineError("rate_limited", "no", { cause, retryAfterMs: 5 });
    expect(error).toMatchObject({ name: "PipelineError", cause, retryAfterMs: 5 });
    expect(Object.hasOwn(new PipelineError("timeout", "no"), "cause")).toBe(false);
    expect(new PipelineError("timeout", "no").retryAfterMs).toBeUndefined();
  });
});

describe("the messages of an error", () => {
  test("come with those of its causes, outermost first", () => {
    const socket = new Error("ECONNREFUSED");
    const client = new TypeError("fetch failed", { cause: socket });
    expect(messageChain(new PipelineError("unavailable", "the API", { cause: client }))).toEqual([
      ...["the API", "fetch failed", "ECONNREFUSED"],
    ]);
  });

  test("say nothing twice", () => {
    const cause = new Error("down");
    expect(messageChain(new Error("PostgreSQL: down", { cause }))).toEqual(["PostgreSQL: down"]);
  });

  test("of what is no error are its text", () => {
    expect(messageChain("text")).toEqual(["text"]);
    expect(messageChain(new Error("outer", { cause: 42 }))).toEqual(["outer", "42"]);
    expect(messageChain(undefined)).toEqual([]);
    expect(messageChain(null)).toEqual([]);
  });

  test("of an error without a message are its name", () => {
    expect(messageChain(new RangeError())).toEqual(["RangeError"]);
  });

  test("are at most ten", () => {
    let error = new Error("0");
    for (let at = 1; at < 100; at++) error = new Error(`number ${at}`, { cause: error });
    expect(messageChain(error)).toHaveLength(10);
  });
});
