import type { Config } from "../config.ts";
import { createConsumerFigures } from "../flow/consumer-figures.ts";
import { askedStation } from "../flow/station.ts";
import { tracedStations } from "../flow/traced-records.ts";
import type { Log } from "../log.ts";
import type { ConsumerMetrics } from "../metrics/consumer.ts";
import { openSink } from "../sink/cassandra.ts";
import { openConsumer } from "../topic/consumer.ts";
import { openDeadLetters } from "../topic/dead-letters.ts";
import { openTracing } from "../tracing.ts";
import { self } from "./self.ts";

export interface ConsumeOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly now: () => Date;
  readonly metrics: ConsumerMetrics;
  /** Ends when all that is there now is written and committed. */
  readonly drain: boolean;
}

/**
 * The stations from the topic to the table, each of which makes spans where these are asked for,
 * and what the consumer says of itself. Waits for those that are down.
 */
export async function openConsume(config: Config, options: ConsumeOptions) {
  const { log, signal, now, metrics, drain } = options;
  await using opening = new AsyncDisposableStack();
  const tracing = opening.use(await openTracing(config.traces, { name: "consume", log }));
  const sink = opening.use(await openSink(config.sink, { log, signal }));
  const letters = opening.use(await openDeadLetters(config.topic, { log, signal }));
  const figures = createConsumerFigures({ ...self(), log, now });
  const said = { says: figures.now, heard: figures.heard };
  const topic = opening.use(await openConsumer(config.topic, { log, signal, drain, ...said }));
  const lags = askedStation(topic.lags, { name: "Kafka", now });
  metrics.watch({ topic: lags, table: askedStation(sink.ping, { name: "the store", now }) });
  const owned = opening.move();
  return {
    ...tracedStations({ topic, sink, letters }, tracing, config),
    ...{ figures, lags, checks: { "the store": sink.ping } },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
