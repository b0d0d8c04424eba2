import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { createTracing } from "../lib/spans.ts";

/** Spans that stay in memory, in the order in which they ended. */
export function recordedSpans(conceal: (text: string) => string = (text) => text) {
  const exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  const provider = new BasicTracerProvider({ spanProcessors });
  const named = (name: string): ReadableSpan[] =>
    exporter.getFinishedSpans().filter((span) => span.name === name);
  return {
    tracing: createTracing(provider.getTracer("tests"), conceal),
    names: () => exporter.getFinishedSpans().map(({ name }) => name),
    named,
    /** The only one of its name. */
    one: (name: string): ReadableSpan => {
      const [span, ...more] = named(name);
      if (!span || more.length > 0) throw new Error(`${named(name).length} spans ${name}`);
      return span;
    },
  };
}

/** As the header would have it. */
export function traceparentOf(span: ReadableSpan): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags}`;
}

/** That of the span's parent; undefined for the first of its trace. */
export function parentOf({ parentSpanContext: parent }: ReadableSpan): string | undefined {
  return parent && `00-${parent.traceId}-${parent.spanId}-0${parent.traceFlags}`;
}
