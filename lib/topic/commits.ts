import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { Log } from "../log.ts";
import type { Offsets } from "./offsets.ts";

/**
 * Commits by hand. What the client calls a commit only sends it: the answer comes while polling.
 * One at a time is on its way, and what is refused, during a rebalance for instance, stays
 * uncommitted and is sent again. Where the broker refuses some of the partitions, the client tells
 * an error for all: all are sent again.
 */
export interface Commits {
  /** Hears the answers that come to this client; of the one before it none is waited for. */
  follow(client: KafkaConsumer, onCommitted?: () => void): void;
  send(client: KafkaConsumer): void;
}

/** An answer that has not come after this was lost. */
const answerMs = 10_000;

export function createCommits(offsets: Offsets, log: Log): Commits {
  let sentAt: number | undefined;
  return {
    follow: (client, onCommitted = () => {}) => {
      sentAt = undefined;
      client.on("offset.commit", (error, partitions) => {
        sentAt = undefined;
        if (error) log.debug({ reason: error.message }, "offsets not committed, trying again");
        else offsets.committed(partitions);
        if (!error) onCommitted();
      });
    },
    send: (client) => {
      if (sentAt !== undefined && performance.now() - sentAt < answerMs) return;
      const toCommit = offsets.uncommitted();
      if (toCommit.length === 0) return;
      try {
        client.commit(toCommit);
        sentAt = performance.now();
      } catch (error) {
        log.debug({ reason: String(error) }, "offsets not sent, trying again");
      }
    },
  };
}
