import { until } from "./until.ts";

/** A collector of OpenTelemetry's spans, by HTTP and JSON, on a free port of this machine. */

export interface SentSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly kind: number;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface Pair {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<SentSpan, "attributes" | "links" | "parentSpanId"> & {
        readonly parentSpanId?: string;
        readonly attributes: readonly Pair[];
        readonly links?: SentSpan["links"];
      })[];
    }[];
  }[];
}

export function startOtlpReceiver({ status = 200 }: { readonly status?: number } = {}) {
  const spans: SentSpan[] = [];
  const requests: { readonly path: string; readonly headers: Headers }[] = [];
  const resources: Record<string, unknown>[] = [];
  const answers = { status };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { resourceSpans } = (await request.json()) as Request;
      requests.push({ path: new URL(request.url).pathname, headers: request.headers });
      if (answers.status !== 200) return new Response("", { status: answers.status });
      for (const { resource, scopeSpans } of resourceSpans) {
        const about = plain(resource.attributes);
        resources.push(about);
        const service = String(about["service.name"]);
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
          const { parentSpanId = "", links = [] } = span;
          spans.push({ ...span, service, parentSpanId, links, attributes: plain(span.attributes) });
        }
      }
      return Response.json({});
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    spans,
    requests,
    resources,
    answers,
    named: (name: string) => spans.filter((span) => span.name === name),
    /** Resolves when so many spans of this name have come. */
    has: (name: string, count = 1) =>
      until(() => spans.filter((span) => span.name === name).length >= count, {
        what: `${count} spans ${name}`,
      }),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function plain(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
