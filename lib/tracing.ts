import type { Config } from "./config.ts";
import type { TraceContext } from "./domain/trace-context.ts";
import type { Log } from "./log.ts";

/** Spans: what is done, how long that takes and what it is part of, for who looks at traces. */
export interface Tracing {
  /** Begins a span, to be ended by hand; it is the parent of none. */
  start(name: string, options?: SpanOptions): Span;
  /**
   * Has the work done within a span, which ends with it: what is begun in it is part of it. The
   * outcome is the work's own; a failure is told in the span.
   */
  within<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** Says something of the work that this is called in; a failure, where one is given. */
  tell(attributes: Attributes, failure?: unknown): void;
}

export interface Span {
  /** Its place, for what comes of it elsewhere. */
  readonly context: TraceContext;
  tell(attributes: Attributes, failure?: unknown): void;
  end(): void;
}

export interface SpanOptions {
  /** What a trace's lines mean: a call, work handed over, work taken over. Else it is done here. */
  readonly kind?: "client" | "producer" | "consumer";
  /** What it is part of, if that is elsewhere; else the work that it is begun in, if any. */
  readonly parent?: TraceContext | undefined;
  /** What else it comes of. */
  readonly links?: readonly Link[];
  readonly attributes?: Attributes;
}

export interface Link {
  readonly context: TraceContext;
  readonly attributes?: Attributes;
}

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/**
 * Spans of a process, sent where the settings say; undefined where they ask for none, and then what
 * makes spans is not even loaded. The process is called `name`, unless the settings name it.
 */
export async function openTracing(
  config: Config["traces"],
  { name, log }: { readonly name: string; readonly log: Log },
): Promise<(Tracing & AsyncDisposable) | undefined> {
  if (!config.on) return undefined;
  const { openOtlp } = await import("./otlp.ts");
  return openOtlp(config, { name: config.service || name, log });
}
