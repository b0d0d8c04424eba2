import { PipelineError } from "../lib/errors.ts";
import { drainedText, showConsuming } from "../lib/flow/consume-progress.ts";
import { createConsumerFigures } from "../lib/flow/consumer-figures.ts";
import { askedStation } from "../lib/flow/station.ts";
import { type SinkOptions, topicToSink } from "../lib/flow/topic-to-sink.ts";
import { tracedStations } from "../lib/flow/traced-records.ts";
import { createHealth } from "../lib/http/health.ts";
import { listenEarly } from "../lib/http/listen.ts";
import { openConsumerMetrics } from "../lib/metrics/consumer.ts";
import { run } from "../lib/run.ts";
import { self } from "../lib/service/self.ts";
import { openSink } from "../lib/sink/cassandra.ts";
import { accompanied } from "../lib/together.ts";
import { openConsumer } from "../lib/topic/consumer.ts";
import { openDeadLetters } from "../lib/topic/dead-letters.ts";
import { openTracing } from "../lib/tracing.ts";

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
  await using tracing = await openTracing(config.traces, { name: "consume", log });
  await using sink = await openSink(config.sink, { log, signal });
  await using letters = await openDeadLetters(config.topic, { log, signal });
  const figures = createConsumerFigures({ ...self(), log, now });
  await using topic = await openConsumer(config.topic, { log, signal, drain, says: figures.now });
  const checks = { "the store": sink.ping };
  const lags = askedStation(topic.lags, { name: "Kafka", now });
  metrics.watch({
    topic: lags,
    table: askedStation(sink.ping, { name: "the store", now }),
  });
  using _ = server?.serve(createHealth({ log, checks, metrics, http: config.http }));

  const shown = { label: "consume", unit: "records", onTerminalOnly: !drain };
  using progress = startProgress(shown);
  const started = performance.now();
  const onBatch: SinkOptions["onBatch"] = (batch, rows) => {
    metrics.onBatch(batch, rows);
    figures.add(batch);
    log.debug({ ...batch }, "batch written");
  };
  const traced = tracedStations({ topic, sink, letters }, tracing, config);
  const doing = { log, now, onBatch };
  const { total } = figures;
  await accompanied(
    signal,
    (signal) => topicToSink(traced.topic, traced.sink, traced.letters, { ...doing, signal }),
    [(signal) => showConsuming({ progress, total, lags, drain }, signal)],
  );
  if (!drain) return 0;
  signal.throwIfAborted();
  const seconds = (performance.now() - started) / 1000;
  const done = { ...total, seconds, rowsPerSecond: Math.round(total.rows / seconds) };
  process.stdout.write(json ? `${JSON.stringify(done)}\n` : drainedText(done));
  return 0;
});
