import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readConfig } from "../../lib/config.ts";
import { type Log, silentLog } from "../../lib/log.ts";
import { openTracing } from "../../lib/tracing.ts";
import { createLogLines } from "../log-lines.ts";
import { startOtlpReceiver } from "../otlp-receiver.ts";
import { startProgram } from "../scripts.ts";
import { until } from "../until.ts";

setDefaultTimeout(180_000);

async function opened(env: Record<string, string>, log: Log = silentLog) {
  const tracing = await openTracing(readConfig(env).traces, { name: "tests", log });
  if (!tracing) throw new Error("there is no tracing");
  return tracing;
}

test("spans reach a collector as it takes them, at the latest when the process ends", async () => {
  await using collector = startOtlpReceiver();
  {
    await using tracing = await opened({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20hunter2",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=tests",
    });
    await tracing.within("outer", { attributes: { rows: 3, ok: true } }, async () => {
      tracing.start("inner", { kind: "client" }).end();
    });
  }
  const [inner, outer] = [collector.named("inner")[0], collector.named("outer")[0]];
  expect(inner).toMatchObject({ service: "tests", kind: 3, parentSpanId: outer?.spanId ?? "none" });
  expect(outer).toMatchObject({ parentSpanId: "", attributes: { rows: 3, ok: true } });
  expect(outer?.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(collector.requests[0]?.path).toBe("/v1/traces");
  expect(collector.requests[0]?.headers.get("authorization")).toBe("Bearer hunter2");
  expect(collector.resources[0]).toMatchObject({
    ...{ "service.namespace": "users-pipeline", "deployment.environment.name": "tests" },
    ...{ "telemetry.sdk.language": "nodejs", "process.pid": process.pid },
  });
});

test("a collector that refuses spans is told of once, until it takes them again", async () => {
  await using collector = startOtlpReceiver({ status: 400 });
  const log = createLogLines();
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/spans` };
  await using tracing = await opened(env, log);
  // As many as are sent at once, so that nothing waits for the next time.
  const batch = (name: string) => {
    for (let n = 0; n < 512; n++) tracing.start(name).end();
  };
  for (const count of [1, 2]) {
    batch("refused");
    await until(() => collector.requests.length === count);
  }
  collector.answers.status = 200;
  batch("taken");
  await collector.has("taken", 512);
  await until(() => log.told("info").length > 0);
  const to = new URL(collector.url).host;
  expect(log.told("warn")).toEqual([{ message: "spans not sent", to, reason: expect.any(String) }]);
  expect(log.told("info")).toEqual([{ message: "spans are sent again", to }]);
  expect(collector.requests[0]?.path).toBe("/spans");
});

test("a collector that is not there does not keep the process from its end", async () => {
  const log = createLogLines();
  const tracing = await opened({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" }, log);
  tracing.start("lost").end();
  await tracing[Symbol.asyncDispose]();
  await tracing[Symbol.asyncDispose]();
  expect(log.told("error")).toEqual([]);
});

describe("what is recorded", () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
  test.each<[Record<string, string>, string]>([
    [{}, "root,sampled"],
    [{ OTEL_TRACES_SAMPLER: "always_on" }, "root,sampled,quiet"],
    [{ OTEL_TRACES_SAMPLER: "always_off" }, ""],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, ""],
    [{ OTEL_TRACES_SAMPLER: "traceidratio" }, "root,sampled,quiet"],
    [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, "sampled"],
    [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, "sampled"],
  ])("with %j is %s", async (env, expected) => {
    await using collector = startOtlpReceiver();
    {
      await using tracing = await opened({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
      const parent = (flags: string) => ({
        parent: { traceparent: `${traceparent}-${flags}`, tracestate: null },
      });
      tracing.start("root").end();
      tracing.start("sampled", parent("01")).end();
      tracing.start("quiet", parent("00")).end();
    }
    expect(collector.spans.map(({ name }) => name).join()).toBe(expected);
  });
});

test("where nobody asks for spans, what makes them is not loaded", async () => {
  const program = new URL("../fixtures/tracing/loaded.ts", import.meta.url).pathname;
  const loaded = async (args: string[]) => {
    await using running = startProgram(program, args);
    return (await running.end()).stdout;
  };
  expect(await loaded([])).toBe("undefined, 0 modules of OpenTelemetry\n");
  expect(await loaded(["http://127.0.0.1:1"])).toMatch(/^object, [1-9]\d* modules/);
});
