import { AsyncLocalStorage } from "node:async_hooks";
import {
  createTraceState,
  type Span as OpenSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  type Link as SpanLink,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { type TraceContext, traceIdOf } from "./domain/trace-context.ts";
import { messageChain, PipelineError } from "./errors.ts";
import type { Attributes, Link, Span, SpanOptions, Tracing } from "./tracing.ts";

/** Spans of a tracer. Texts of failures go through `conceal` first. */
export function createTracing(tracer: Tracer, conceal: (text: string) => string): Tracing {
  const current = new AsyncLocalStorage<OpenSpan>();
  const begin = (name: string, { kind, parent, links = [], attributes = {} }: SpanOptions) => {
    const outer = current.getStore();
    const around = parent
      ? trace.setSpanContext(ROOT_CONTEXT, spanContextOf(parent))
      : outer && trace.setSpan(ROOT_CONTEXT, outer);
    const options = { kind: kinds[kind ?? "internal"], links: links.map(linkOf), attributes };
    return tracer.startSpan(name, options, around ?? ROOT_CONTEXT);
  };
  const tell = (span: OpenSpan, attributes: Attributes, failure?: unknown) => {
    span.setAttributes(attributes);
    // Being stopped is no failure.
    if (failure === undefined || typeOf(failure) === "AbortError") return;
    const message = messageChain(failure).map(conceal).join(": ");
    span.setAttribute("error.type", typeOf(failure));
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  };
  const spanOf = (span: OpenSpan): Span => ({
    context: contextOf(span.spanContext()),
    tell: (attributes, failure) => tell(span, attributes, failure),
    end: () => span.end(),
  });
  return {
    start: (name, options = {}) => spanOf(begin(name, options)),
    within: async (name, options, work) => {
      const span = begin(name, options);
      try {
        return await current.run(span, () => work(spanOf(span)));
      } catch (error) {
        tell(span, {}, error);
        throw error;
      } finally {
        span.end();
      }
    },
    tell: (attributes, failure) => {
      const span = current.getStore();
      if (span) tell(span, attributes, failure);
    },
  };
}

const kinds = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

function linkOf({ context, attributes = {} }: Link): SpanLink {
  return { context: spanContextOf(context), attributes };
}

function spanContextOf({ traceparent, tracestate }: TraceContext): SpanContext {
  return {
    traceId: traceIdOf({ traceparent }),
    spanId: traceparent.slice(36, 52),
    traceFlags: Number.parseInt(traceparent.slice(53), 16),
    isRemote: true,
    ...(tracestate === null ? {} : { traceState: createTraceState(tracestate) }),
  };
}

function contextOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const flags = traceFlags.toString(16).padStart(2, "0");
  return {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    tracestate: traceState?.serialize() || null,
  };
}

function typeOf(failure: unknown): string {
  if (failure instanceof PipelineError) return failure.code;
  return failure instanceof Error ? failure.name : typeof failure;
}
