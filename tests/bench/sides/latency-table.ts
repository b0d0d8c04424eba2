import { readConfig } from "../../../lib/config.ts";
import { wholeHeader } from "../../../lib/domain/event.ts";
import { type RecordSource, topicToSink } from "../../../lib/flow/topic-to-sink.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openSink } from "../../../lib/sink/cassandra.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { openDeadLetters } from "../../../lib/topic/dead-letters.ts";
import { percentile } from "../figures.ts";
import type { BothLatencies, Latencies } from "../latency.ts";
import { never, peakMb, tell } from "../window.ts";

/** latency-table WARM COUNT: wired as `consume`; notes how old each user is once it is written. */
const [warm = 0, count = 0] = process.argv.slice(2).map(Number);
const config = readConfig(Bun.env);
const options = { log, signal: never };
const sink = await openSink(config.sink, options);
const letters = await openDeadLetters(config.topic, options);
const topic = await openConsumer(config.topic, options);
const stop = new AbortController();
const ages = { topic: [] as number[], raw: [] as number[] };
let seen = 0;

const timed: RecordSource = {
  batches: (handle, signal) =>
    topic.batches(async (records) => {
      // It resolves when the store has acknowledged all of them.
      await handle(records);
      const at = performance.timeOrigin + performance.now();
      for (const record of records) {
        seen += 1;
        if (seen <= warm) continue;
        ages.topic.push(at - record.timestampMs);
        ages.raw.push(at - (wholeHeader(record, "version") ?? Number.NaN) / 1000);
      }
      if (seen >= count) stop.abort();
    }, signal),
};
await topicToSink(timed, sink, letters, { log, signal: stop.signal, now: () => new Date() });
const found: BothLatencies = { topic: of(ages.topic), raw: of(ages.raw), peakMb: peakMb() };
tell(found);
process.exit(0);

function of(values: readonly number[]): Latencies {
  return {
    p50: percentile(values, 0.5),
    p99: percentile(values, 0.99),
    max: percentile(values, 1),
  };
}
