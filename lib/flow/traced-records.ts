import { isRecorded, parseTraceContext, type TraceContext } from "../domain/trace-context.ts";
import type { Attributes, SpanOptions, Tracing } from "../tracing.ts";
import type { Publisher } from "./raw-to-topic.ts";
import type { DeadLetters, RecordSource, Sink } from "./topic-to-sink.ts";

/*
 * Spans of records: of each batch that is sent, and of each that is read, with its write. Named as
 * OpenTelemetry's conventions for messaging and databases have it.
 */

/** The same topic, with a span for each batch that is sent to it, linked to the runs in it. */
export function tracedPublisher<P extends Publisher>(
  publisher: P,
  tracing: Tracing | undefined,
  { name }: { readonly name: string },
): P {
  if (!tracing) return publisher;
  const traced: Publisher = {
    publish: (events) => {
      const parents = events.map(({ headers }) => headers.find(({ traceparent }) => traceparent));
      const options = batchOf(parents, messaging("send", name, events.length));
      return tracing.within(`send ${name}`, { kind: "producer", ...options }, async (span) => {
        const refused = await publisher.publish(events);
        if (refused.length > 0) span.tell({ [refusals]: refused.length });
        return refused;
      });
    },
  };
  return { ...publisher, ...traced };
}

/** Where records are read, where they are written, and where those go that cannot be. */
interface Stations {
  readonly topic: RecordSource;
  readonly sink: Sink;
  readonly letters: DeadLetters;
}

/**
 * The same stations, with a span for each batch of records that is read, linked to the runs in it,
 * and within it one for each time that rows or dead letters are written.
 */
export function tracedStations(
  { topic, sink, letters }: Stations,
  tracing: Tracing | undefined,
  config: { readonly topic: TopicNames; readonly sink: TableName },
): Stations {
  if (!tracing) return { topic, sink, letters };
  return {
    topic: tracedRecords(topic, tracing, config.topic),
    sink: tracedSink(sink, tracing, config.sink),
    letters: tracedLetters(letters, tracing, config.topic),
  };
}

interface TopicNames {
  readonly name: string;
  readonly group: string;
  readonly deadLetters: string;
}
interface TableName {
  readonly keyspace: string;
  readonly table: string;
}

function tracedRecords(source: RecordSource, tracing: Tracing, names: TopicNames): RecordSource {
  const { name, group } = names;
  return {
    batches: (handle, signal) =>
      source.batches((records) => {
        const parents = records.map(({ headers: { traceparent, tracestate } }) => ({
          traceparent: traceparent?.toString("latin1"),
          tracestate: tracestate?.toString("latin1"),
        }));
        const read = messaging("process", name, records.length);
        const options = batchOf(parents, { ...read, "messaging.consumer.group.name": group });
        return tracing.within(`process ${name}`, { kind: "consumer", ...options }, () =>
          handle(records),
        );
      }, signal),
  };
}

function tracedSink(sink: Sink, tracing: Tracing, { keyspace, table }: TableName): Sink {
  const place = { "db.system.name": "cassandra", "db.namespace": keyspace };
  return {
    upsert: (rows, signal) => {
      const written = { "db.collection.name": table, "db.operation.batch.size": rows.length };
      const options = { kind: "client", attributes: { ...place, ...written } } as const;
      return tracing.within(`insert ${table}`, options, async (span) => {
        const refused = await sink.upsert(rows, signal);
        if (refused.length > 0) span.tell({ [refusals]: refused.length });
        return refused;
      });
    },
  };
}

function tracedLetters(letters: DeadLetters, tracing: Tracing, names: TopicNames): DeadLetters {
  const { deadLetters: name } = names;
  return {
    put: (some) => {
      const attributes = messaging("send", name, some.length);
      return tracing.within(`send ${name}`, { kind: "producer", attributes }, () =>
        letters.put(some),
      );
    },
  };
}

const refusals = "pipeline.refused";

function messaging(operation: "send" | "process", topic: string, records: number): Attributes {
  return {
    "messaging.system": "kafka",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": topic,
    "messaging.batch.message_count": records,
  };
}

/**
 * A batch comes of all the runs that it has records of; of their links OpenTelemetry keeps the first
 * 128, unless it is told otherwise. One that has those of a single run, which is
 * recorded, is also part of that run's trace; else it begins a trace, since it can be part of one
 * alone.
 */
function batchOf(
  parents: readonly (Parameters<typeof parseTraceContext>[0] | undefined)[],
  attributes: Attributes,
): SpanOptions {
  const counts = new Map<string, { context: TraceContext | undefined; records: number }>();
  for (const given of parents) {
    const known = counts.get(given?.traceparent ?? "");
    if (known) known.records += 1;
    else counts.set(given?.traceparent ?? "", { context: contextOf(given), records: 1 });
  }
  const origins = [...counts.values()];
  const links = origins.flatMap(({ context, records }) =>
    context ? [{ context, attributes: { "messaging.batch.message_count": records } }] : [],
  );
  const only = origins.length === 1 ? origins[0]?.context : undefined;
  const parent = only && isRecorded(only) ? only : undefined;
  return { attributes, links, parent };
}

function contextOf(given: Parameters<typeof parseTraceContext>[0] | undefined) {
  return given && parseTraceContext(given);
}
