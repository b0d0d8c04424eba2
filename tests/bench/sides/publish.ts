import { readConfig } from "../../../lib/config.ts";
import type { Event } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { openProducer } from "../../../lib/topic/producer.ts";
import { readRecords } from "../records.ts";
import { never, openWindow, tell } from "../window.ts";

/** publish FILE WARM COUNT: our producer, given the records in batches as the relay gives them. */
const [file = "", warm, count] = process.argv.slice(2);
const records = await readRecords(file);
/** As `rawToTopic` takes them from the outbox. */
const batchRows = 2000;
/** Batches on their way at once, so that the producer never has nothing to do. */
const overlapping = Number(process.argv[5] ?? 4);
let next = 0;

const producer = await openProducer(readConfig(Bun.env).topic, { log, signal: never });
await publish(Number(warm));
const window = openWindow();
await publish(Number(count));
tell(window.close(Number(count)));
await producer[Symbol.asyncDispose]();
process.exit(0);

async function publish(total: number): Promise<void> {
  const end = next + total;
  const worker = async () => {
    while (next < end) {
      const batch = take(Math.min(batchRows, end - next));
      const refused = await producer.publish(batch);
      if (refused.length > 0) throw new Error(`refused: ${Bun.inspect(refused[0])}`);
    }
  };
  await Promise.all(Array.from({ length: overlapping }, worker));
}

function take(rows: number): Event[] {
  const batch: Event[] = [];
  for (const end = next + rows; next < end; next++) {
    const record = records[next % records.length];
    if (record) batch.push(record);
  }
  return batch;
}
