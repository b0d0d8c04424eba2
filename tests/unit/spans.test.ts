import { describe, expect, test } from "bun:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { PipelineError } from "../../lib/errors.ts";
import { failureOf } from "../failure.ts";
import { parentOf, recordedSpans, traceparentOf } from "../recorded-spans.ts";

const elsewhere = {
  traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  tracestate: "a=1",
};

describe("a span", () => {
  test("is part of the work that it is begun in, however long ago that was awaited", async () => {
    const { tracing, one } = recordedSpans();
    await tracing.within("outer", {}, async () => {
      await new Promise(setImmediate);
      await Promise.all([
        tracing.within("inner", {}, () => Promise.resolve()),
        tracing.within("beside", {}, async () => tracing.start("innermost").end()),
      ]);
    });
    expect(parentOf(one("outer"))).toBeUndefined();
    expect(parentOf(one("inner"))).toBe(traceparentOf(one("outer")));
    expect(parentOf(one("beside"))).toBe(traceparentOf(one("outer")));
    expect(parentOf(one("innermost"))).toBe(traceparentOf(one("beside")));
  });

  test("is part of what is elsewhere, when that is said, and keeps what goes with it", async () => {
    const { tracing, one } = recordedSpans();
    const context = await tracing.within("outer", {}, () =>
      tracing.within(
        "inner",
        { parent: elsewhere, kind: "consumer" },
        async (span) => span.context,
      ),
    );
    expect(parentOf(one("inner"))).toBe(elsewhere.traceparent);
    expect(one("inner").kind).toBe(SpanKind.CONSUMER);
    expect(context).toEqual({ traceparent: traceparentOf(one("inner")), tracestate: "a=1" });
  });

  test("is not recorded where what is elsewhere is not, and says so to what comes of it", () => {
    const { tracing, names } = recordedSpans();
    const parent = { ...elsewhere, traceparent: elsewhere.traceparent.replace(/01$/, "00") };
    const span = tracing.start("quiet", { parent });
    span.end();
    expect(span.context.traceparent).toMatch(
      /^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-00$/,
    );
    expect(names()).toEqual([]);
  });

  test("names what else it comes of", () => {
    const { tracing, one } = recordedSpans();
    tracing.start("linked", { links: [{ context: elsewhere, attributes: { n: 3 } }] }).end();
    expect(one("linked").links).toMatchObject([
      { context: { spanId: "00f067aa0ba902b7", traceFlags: 1 }, attributes: { n: 3 } },
    ]);
  });

  test("ends with its work, whose failure is its caller's and told without secrets", async () => {
    const { tracing, one } = recordedSpans((text) => text.replaceAll("hunter2", "[secret]"));
    const error = new PipelineError("timeout", "no answer", { cause: new Error("for hunter2") });
    expect(await failureOf(tracing.within("work", {}, () => Promise.reject(error)))).toBe(error);
    const { status, attributes } = one("work");
    expect(status).toEqual({ code: SpanStatusCode.ERROR, message: "no answer: for [secret]" });
    expect(attributes).toEqual({ "error.type": "timeout" });
  });

  test("of work that is stopped has not failed", async () => {
    const { tracing, one } = recordedSpans();
    const stopped = new DOMException("stopped", "AbortError");
    await failureOf(tracing.within("work", {}, () => Promise.reject(stopped)));
    expect(one("work").status.code).toBe(SpanStatusCode.UNSET);
  });

  test("is told of from within its work; outside of any, nobody is", async () => {
    const { tracing, one } = recordedSpans();
    tracing.tell({ lost: true });
    await tracing.within("work", {}, async () => tracing.tell({ rows: 3 }, new Error("some")));
    expect(one("work").attributes).toEqual({ rows: 3, "error.type": "Error" });
    expect(one("work").status.message).toBe("some");
  });
});
