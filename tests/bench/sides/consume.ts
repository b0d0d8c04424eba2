import { readConfig } from "../../../lib/config.ts";
import { type RecordSource, topicToSink } from "../../../lib/flow/topic-to-sink.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openConsumer } from "../../../lib/topic/consumer.ts";
import { never, openWindow, tell, type Window } from "../window.ts";

/** consume records|users WARM COUNT: our consumer handing over to a counter, decoded or not. */
const [mode, warm, count] = process.argv.slice(2);
const stop = new AbortController();
let seen = 0;
let window: Window | undefined;
let first = 0;

const topic = await openConsumer(readConfig(Bun.env).topic, { log, signal: never });
if (mode === "records")
  await topic.batches(async (records) => void saw(records.length), stop.signal);
else await throughFlow(topic);
process.exit(0);

/** As `consume` wires it, but for the table. */
async function throughFlow(topic: RecordSource): Promise<void> {
  const sink = { upsert: async (rows: readonly unknown[]) => saw(rows.length) };
  const deadLetters = { put: () => Promise.reject(new Error("a record was not decoded")) };
  const options = { log, signal: stop.signal, now: () => new Date() };
  await topicToSink(topic, sink, deadLetters, options);
}

function saw(records: number): [] {
  seen += records;
  if (window === undefined && seen >= Number(warm)) {
    window = openWindow();
    first = seen;
  } else if (seen >= Number(warm) + Number(count) && !stop.signal.aborted) {
    tell(window?.close(seen - first));
    stop.abort();
  }
  return [];
}
