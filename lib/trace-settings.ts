import * as v from "valibot";

/* The settings of OpenTelemetry that are read here; others are read by its own library. */

const url = "an http or https URL";
const optionalUrl = v.pipe(
  v.string(),
  v.check((text) => text === "" || /^https?:$/.test(URL.parse(text)?.protocol ?? ""), url),
);
/** As OpenTelemetry has them: percent-encoded where need be. */
const pairs = v.pipe(
  v.string(),
  v.regex(/^$|^[^\s=,]+=[^,]*(, *[^\s=,]+=[^,]*)*$/, "name=value, several separated by commas"),
  v.check((text) => pairsOf(text) !== undefined, "name=value with each % as %25"),
);
const samplers = [
  ...["always_on", "always_off", "traceidratio"],
  ...["parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"],
];
const ratio = v.pipe(
  v.string(),
  v.regex(/^(0|1|0\.\d{1,15}|1\.0+)$/, "a number from 0 to 1"),
  v.transform(Number),
);

export const traceSettings = {
  OTEL_SDK_DISABLED: v.optional(v.picklist(["true", "false"], "true or false"), "false"),
  OTEL_TRACES_EXPORTER: v.optional(v.picklist(["", "otlp", "none"], "otlp or none"), ""),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(optionalUrl, ""),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: v.optional(optionalUrl, ""),
  OTEL_EXPORTER_OTLP_PROTOCOL: v.optional(v.picklist(["http/json"], "http/json"), "http/json"),
  OTEL_EXPORTER_OTLP_HEADERS: v.optional(pairs, ""),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: v.optional(pairs, ""),
  OTEL_SERVICE_NAME: v.optional(v.string(), ""),
  OTEL_RESOURCE_ATTRIBUTES: v.optional(pairs, ""),
  OTEL_TRACES_SAMPLER: v.optional(
    v.picklist(samplers, `one of ${samplers.join(", ")}`),
    "parentbased_always_on",
  ),
  OTEL_TRACES_SAMPLER_ARG: v.optional(ratio, "1"),
};

type Settings = v.InferOutput<v.ObjectSchema<typeof traceSettings, undefined>>;

/** Where collectors listen. */
const localCollector = "http://localhost:4318";

/**
 * Where spans are sent, and which. On where somebody asks for it, or names an address and does not
 * ask for none.
 */
export function tracesOf(env: Settings) {
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const own = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const exporter = env.OTEL_TRACES_EXPORTER || (base || own ? "otlp" : "none");
  return {
    on: exporter === "otlp" && env.OTEL_SDK_DISABLED === "false",
    url: own || `${(base || localCollector).replace(/\/+$/, "")}/v1/traces`,
    headers: {
      ...pairsOf(env.OTEL_EXPORTER_OTLP_HEADERS),
      ...pairsOf(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS),
    },
    service: env.OTEL_SERVICE_NAME,
    resource: { ...pairsOf(env.OTEL_RESOURCE_ATTRIBUTES) },
    sampler: { name: env.OTEL_TRACES_SAMPLER, ratio: env.OTEL_TRACES_SAMPLER_ARG },
  };
}

/** Undefined where a % stands for nothing. */
function pairsOf(text: string): Readonly<Record<string, string>> | undefined {
  try {
    const parts = text.split(",").filter((each) => each !== "");
    return Object.fromEntries(
      parts.map((each) => {
        const at = each.indexOf("=");
        return [each.slice(0, at).trim(), decodeURIComponent(each.slice(at + 1).trim())];
      }),
    );
  } catch {
    return undefined;
  }
}
