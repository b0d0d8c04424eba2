import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import type { Config } from "./config.ts";
import type { Log } from "./log.ts";
import { createTracing } from "./spans.ts";
import type { Tracing } from "./tracing.ts";

/** What spans that have not been sent may take to get away, when the process ends. */
const closeMs = 5000;

/**
 * Spans, sent to where the settings say in batches, beside the work. That they cannot be sent holds
 * up nothing: it is said once, until they can; too many are dropped.
 */
export function openOtlp(
  config: Config["traces"],
  { name, log }: { readonly name: string; readonly log: Log },
): Tracing & AsyncDisposable {
  const { url, headers } = config;
  const exporter = telling(new OTLPTraceExporter({ url, headers: { ...headers } }), url, log);
  const service = { "service.namespace": "users-pipeline", "service.name": name };
  const attributes = { ...service, "process.pid": process.pid, ...config.resource };
  const provider = new BasicTracerProvider({
    resource: defaultResource().merge(resourceFromAttributes(attributes)),
    sampler: samplerOf(config.sampler),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  let closing: Promise<void> | undefined;
  return {
    ...createTracing(provider.getTracer("users-pipeline"), log.conceal),
    [Symbol.asyncDispose]: () => {
      closing ??= close(provider);
      return closing;
    },
  };
}

/** Sends what is left. What goes wrong in that has been said. */
async function close(provider: BasicTracerProvider): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, closeMs);
  await Promise.race([provider.shutdown().catch(() => {}), late]);
  clearTimeout(timer);
}

/** The exporter, which tells nobody by itself. */
function telling(exporter: SpanExporter, url: string, log: Log): SpanExporter {
  let failing = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== 0;
        const place = new URL(url).host;
        if (failed && !failing) {
          log.warn({ to: place, reason: result.error?.message ?? "" }, "spans not sent");
        }
        if (!failed && failing) log.info({ to: place }, "spans are sent again");
        failing = failed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => await exporter.forceFlush?.(),
  };
}

function samplerOf({ name, ratio }: Config["traces"]["sampler"]): Sampler {
  const [, parentBased, rule = ""] = /^(parentbased_)?(.*)$/.exec(name) ?? [];
  const root =
    rule === "traceidratio"
      ? new TraceIdRatioBasedSampler(ratio)
      : rule === "always_off"
        ? new AlwaysOffSampler()
        : new AlwaysOnSampler();
  return parentBased ? new ParentBasedSampler({ root }) : root;
}
