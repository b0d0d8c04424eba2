import { runRequest } from "../lib/arguments.ts";
import { runText } from "../lib/domain/run.ts";
import { sendAlerts } from "../lib/flow/alerts.ts";
import { ingestOnce } from "../lib/flow/ingest-once.ts";
import { keepHistory } from "../lib/flow/keep-history.ts";
import { performRuns } from "../lib/flow/perform-runs.ts";
import { pruneHourly } from "../lib/flow/prune.ts";
import { createRateLimit } from "../lib/flow/rate-limit.ts";
import { rawToTopic } from "../lib/flow/raw-to-topic.ts";
import { tracedPublisher } from "../lib/flow/traced-records.ts";
import { tracedSource, tracedStore } from "../lib/flow/traced-runs.ts";
import { createService } from "../lib/http/app.ts";
import { listenEarly } from "../lib/http/listen.ts";
import { openServiceMetrics } from "../lib/metrics/service.ts";
import { print } from "../lib/print.ts";
import { jsonLine, printable } from "../lib/printable.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { retry } from "../lib/retry.ts";
import { run } from "../lib/run.ts";
import { scheduleRuns } from "../lib/schedule/scheduler.ts";
import { openDesks } from "../lib/service/desks.ts";
import { openSource } from "../lib/source/randomuser.ts";
import { together } from "../lib/together.ts";
import { openProducer } from "../lib/topic/producer.ts";
import { openReader } from "../lib/topic/reader.ts";
import { openTracing } from "../lib/tracing.ts";
import { createWebhook } from "../lib/webhook.ts";

const command = {
  name: "ingest",
  about: "API -> PostgreSQL -> Kafka: on a schedule and by HTTP, or --once.",
  endless: ({ once }: { once?: boolean }) => !once,
  options: {
    once: { type: "boolean", about: "one run now; ends when its records are on the topic" },
    results: { type: "string", value: "N", about: "--once: how many users (RESULTS)" },
    seed: { type: "string", value: "S", about: "--once: the same seed gives the same users" },
    nat: { type: "string", value: "gb,us", about: "--once: nationalities (NAT)" },
    json: { type: "boolean", about: "--once: print the run as JSON" },
  },
} as const;

await run(command, async ({ config, log, options, signal, startProgress }) => {
  const request = runRequest(options, config.runs);
  const { http, runs: defaults, perform, alerts, keep } = config;
  const now = () => new Date();
  using metrics = await openServiceMetrics({ log, now });
  const { told } = metrics;
  const early = { setting: "PORT", metrics, log } as const;
  await using server = options.once ? undefined : listenEarly(http, early);
  await using tracing = await openTracing(config.traces, { name: "ingest", log });
  await using producer = await openProducer(config.topic, { log, signal });
  const topic = tracedPublisher(producer, tracing, config.topic);
  await using store = await openRawStore(config.raw, { log, signal, alerts: alerts.url !== "" });
  const raw = tracedStore(store, tracing);
  const { runs, outbox, schedule } = raw;
  const rateLimit = createRateLimit(raw.bookings, config.source, { log });
  const source = tracedSource(
    openSource(config.source, { log, rateLimit, onCall: told.onCall }),
    tracing,
  );
  const working = { worker: `${process.pid}-${crypto.randomUUID()}`, ...perform, log, tracing };

  if (server === undefined) {
    using progress = startProgress({ label: "ingest", unit: "users", total: request.results });
    const doing = { ...working, signal, onProgress: progress.show };
    const ended = await ingestOnce(request, { source, runs, outbox, topic }, doing);
    await print(`${options.json ? jsonLine(ended) : printable(runText(ended).trimEnd())}\n`);
    return ended.state === "success" ? 0 : 1;
  }

  await retry(() => schedule.apply(config.schedule), { what: "PostgreSQL", log, signal });
  await using desks = await openDesks(config, raw, { log, signal });
  metrics.watch(desks.pipeline);
  const checks = { PostgreSQL: raw.ping };
  const openTopic = () => openReader(config.topic, { log, signal });
  const shown = { ...raw, ...desks, topic: config.topic };
  const service = createService({ ...shown, metrics, checks, defaults, http, log });
  using _ = server.serve(service);
  await together(signal, [
    service.run,
    (signal) => scheduleRuns(schedule, { request: defaults, log, signal }),
    (signal) => performRuns(runs, source, { ...told, ...working, signal }),
    (signal) => rawToTopic(outbox, topic, { onBatch: told.onRelayed, log, signal }),
    (signal) => pruneHourly(raw.old, { ...config.topic, openTopic }, { keep, log, signal }),
    (signal) => keepHistory(raw.history, desks.pipeline, { ...config.history, log, signal }),
    (signal) => sendAlerts(raw.alerts, createWebhook(alerts), { ...alerts, log, signal }),
  ]);
  return 0;
});
