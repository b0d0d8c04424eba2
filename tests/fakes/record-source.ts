import type { ReceivedRecord } from "../../lib/domain/event.ts";
import type { RecordSource } from "../../lib/flow/topic-to-sink.ts";
import { createFakeBell } from "./bell.ts";

/** One partition of a topic and how far its group has committed. */
export interface FakeTopic {
  committed: number;
  add(...records: readonly ReceivedRecord[]): void;
  /** A member of the group; with `drain` it ends at the end. */
  open(options?: { readonly drain?: boolean; readonly batchRecords?: number }): RecordSource;
}

export function createFakeTopic(): FakeTopic {
  const bell = createFakeBell();
  const records: ReceivedRecord[] = [];
  const topic: FakeTopic = {
    committed: 0,
    add(...more) {
      records.push(...more);
      bell.ring();
    },
    open: ({ drain = false, batchRecords = 1000 } = {}) => ({
      async batches(handle, signal) {
        while (!signal.aborted) {
          const batch = records.slice(topic.committed, topic.committed + batchRecords);
          if (batch.length > 0) await handle(batch);
          else if (drain) return;
          else await bell.wait(signal).catch(() => {});
          topic.committed += batch.length;
        }
      },
    }),
  };
  return topic;
}
