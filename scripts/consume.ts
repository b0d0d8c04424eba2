import { PipelineError } from "../lib/errors.ts";
import { drainedText, showConsuming } from "../lib/flow/consume-progress.ts";
import { type SinkOptions, topicToSink } from "../lib/flow/topic-to-sink.ts";
import { createHealth } from "../lib/http/health.ts";
import { listenEarly } from "../lib/http/listen.ts";
import { openConsumerMetrics } from "../lib/metrics/consumer.ts";
import { run } from "../lib/run.ts";
import { openConsume } from "../lib/service/consume.ts";
import { accompanied } from "../lib/together.ts";

const command = {
  name: "consume",
  about:
    "Kafka -> Cassandra or ScyllaDB, in batches. Goes on for ever, or to the end with --drain.",
  endless: ({ drain }: { drain?: boolean }) => !drain,
  options: {
    drain: { type: "boolean", about: "ends when all that is there now is written and committed" },
    json: { type: "boolean", about: "--drain: print what was done as JSON" },
  },
} as const;

const now = () => new Date();

await run(command, async ({ config, log, options, signal, startProgress }) => {
  const { drain = false, json = false } = options;
  if (json && !drain) throw new PipelineError("usage", "--json goes with --drain");
  using metrics = await openConsumerMetrics({ log, now });
  const early = { setting: "CONSUMER_PORT", metrics, log } as const;
  await using server = drain ? undefined : listenEarly(config.http, early);
  const opening = { log, signal, now, metrics, drain };
  await using consume = await openConsume(config, opening);
  const { topic, sink, letters, figures, checks, lags } = consume;
  const { total } = figures;
  using _ = server?.serve(createHealth({ log, checks, metrics, http: config.http }));

  const shown = { label: "consume", unit: "records", onTerminalOnly: !drain };
  using progress = startProgress(shown);
  const started = performance.now();
  const onBatch: SinkOptions["onBatch"] = (batch, rows) => {
    metrics.onBatch(batch, rows);
    figures.add(batch);
    log.debug({ ...batch }, "batch written");
  };
  await accompanied(
    signal,
    (signal) => topicToSink(topic, sink, letters, { log, signal, now, onBatch }),
    [(signal) => showConsuming({ progress, total, lags, drain }, signal)],
  );
  if (!drain) return 0;
  signal.throwIfAborted();
  const seconds = (performance.now() - started) / 1000;
  const done = { ...total, seconds, rowsPerSecond: Math.round(total.rows / seconds) };
  process.stdout.write(json ? `${JSON.stringify(done)}\n` : drainedText(done));
  return 0;
});
