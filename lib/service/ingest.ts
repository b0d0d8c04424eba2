import type { Config } from "../config.ts";
import { createRateLimit } from "../flow/rate-limit.ts";
import { tracedPublisher } from "../flow/traced-records.ts";
import { tracedSource, tracedStore } from "../flow/traced-runs.ts";
import type { Log } from "../log.ts";
import type { ServiceMetrics } from "../metrics/service.ts";
import { openRawStore } from "../raw/postgres.ts";
import { openSource } from "../source/randomuser.ts";
import { openProducer } from "../topic/producer.ts";
import { openTracing } from "../tracing.ts";

export interface IngestOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Told of what is done. */
  readonly told: ServiceMetrics["told"];
}

export type Ingest = Awaited<ReturnType<typeof openIngest>>;

/**
 * The stations from the API to the topic, each of which makes spans where these are asked for, and
 * what a run is performed with. Waits for those that are down.
 */
export async function openIngest(config: Config, { log, signal, told }: IngestOptions) {
  await using opening = new AsyncDisposableStack();
  const tracing = opening.use(await openTracing(config.traces, { name: "ingest", log }));
  const producer = opening.use(await openProducer(config.topic, { log, signal }));
  const alerts = config.alerts.url !== "";
  const store = opening.use(await openRawStore(config.raw, { log, signal, alerts }));
  const raw = tracedStore(store, tracing);
  const rateLimit = createRateLimit(raw.bookings, config.source, { log });
  const source = openSource(config.source, { log, rateLimit, onCall: told.onCall });
  const worker = `${process.pid}-${crypto.randomUUID()}`;
  const owned = opening.move();
  return {
    raw,
    source: tracedSource(source, tracing),
    topic: tracedPublisher(producer, tracing, config.topic),
    working: { worker, ...config.perform, log, tracing },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
