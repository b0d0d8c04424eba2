import type { Config } from "../config.ts";
import { sendAlerts } from "../flow/alerts.ts";
import { keepHistory } from "../flow/keep-history.ts";
import { performRuns } from "../flow/perform-runs.ts";
import { pruneHourly } from "../flow/prune.ts";
import { rawToTopic } from "../flow/raw-to-topic.ts";
import { createService } from "../http/app.ts";
import type { Listening } from "../http/listen.ts";
import type { Log } from "../log.ts";
import type { ServiceMetrics } from "../metrics/service.ts";
import { retry } from "../retry.ts";
import { scheduleRuns } from "../schedule/scheduler.ts";
import { together } from "../together.ts";
import { openReader } from "../topic/reader.ts";
import { createWebhook } from "../webhook.ts";
import { openDesks } from "./desks.ts";
import type { Ingest } from "./ingest.ts";

export interface ServeOptions {
  readonly metrics: ServiceMetrics;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The service, until the signal aborts: it serves the HTTP API and the dashboard, makes runs on the
 * schedule, performs runs, relays what they keep, removes what is old, keeps the history and sends
 * alerts. Any number of instances may do so side by side.
 */
export async function serve(
  server: Listening,
  { raw, source, topic, working }: Ingest,
  config: Config,
  { metrics, log, signal }: ServeOptions,
): Promise<void> {
  const { told } = metrics;
  const { http, runs: request, alerts, keep } = config;
  const { outbox, schedule } = raw;
  await retry(() => schedule.apply(config.schedule), { what: "PostgreSQL", log, signal });
  await using desks = await openDesks(config, raw, { log, signal });
  metrics.watch(desks.pipeline);
  const checks = { PostgreSQL: raw.ping };
  const openTopic = () => openReader(config.topic, { log, signal });
  const shown = { ...raw, ...desks, topic: config.topic };
  const service = createService({ ...shown, metrics, checks, defaults: request, http, log });
  using _ = server.serve(service);
  await together(signal, [
    service.run,
    (signal) => scheduleRuns(schedule, { request, log, signal }),
    (signal) => performRuns(raw.runs, source, { ...told, ...working, signal }),
    (signal) => rawToTopic(outbox, topic, { onBatch: told.onRelayed, log, signal }),
    (signal) => pruneHourly(raw.old, { ...config.topic, openTopic }, { keep, log, signal }),
    (signal) => keepHistory(raw.history, desks.pipeline, { ...config.history, log, signal }),
    (signal) => sendAlerts(raw.alerts, createWebhook(alerts), { ...alerts, log, signal }),
  ]);
}
