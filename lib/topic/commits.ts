import type { KafkaConsumer } from "@confluentinc/kafka-javascript";
import type { ConsumerFigures } from "../domain/consumer-figures.ts";
import type { Log } from "../log.ts";
import { noteText } from "./commit-note.ts";
import type { CommitOffset, Offsets } from "./offsets.ts";

/**
 * Commits by hand. What the client calls a commit only sends it: the answer comes while polling.
 * One at a time is on its way, and what is refused, during a rebalance for instance, stays
 * uncommitted and is sent again. Where the broker refuses some of the partitions, the client tells
 * an error for all: all are sent again.
 */
export interface Commits {
  /** Hears the answers that come to this client; of the one before it none is waited for. */
  follow(client: KafkaConsumer, onCommitted?: () => void): void;
  /** Sends what is there to commit, at once. */
  send(client: KafkaConsumer): void;
  /** Sends it, with what else is there by then, some milliseconds after the last time. */
  sendSoon(client: KafkaConsumer): void;
}

export interface SpeechOptions {
  /** What the consumer says of itself. */
  readonly says?: (() => ConsumerFigures) | undefined;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs?: () => number;
}

/** An answer that has not come after this was lost. */
const answerMs = 10_000;
/**
 * Between two commits. Each is a write of the broker's own: at a thousand records a second, in two
 * hundred batches, they were a fifth of its work.
 */
const intervalMs = 50;

/**
 * With `says`, the first partition of each commit also carries what the consumer says of itself;
 * where there is nothing to commit, one partition is committed again as it is to say it.
 */
export function createCommits(
  offsets: Offsets,
  log: Log,
  { says, nowMs = () => performance.now() }: SpeechOptions = {},
): Commits {
  let sentAt: number | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const speech = createSpeech({ says, nowMs });
  const send = (client: KafkaConsumer) => {
    clearTimeout(timer);
    timer = undefined;
    if (sentAt !== undefined && nowMs() - sentAt < answerMs) return;
    const toCommit = offsets.uncommitted();
    if (toCommit.length === 0 && speech.isDue()) toCommit.push(...offsets.standing());
    const [first] = toCommit;
    if (first === undefined) return;
    toCommit[0] = speech.on(first);
    try {
      client.commit(toCommit);
      sentAt = nowMs();
      lastAt = sentAt;
    } catch (error) {
      log.debug({ reason: String(error) }, "offsets not sent, trying again");
    }
  };
  return {
    follow: (client, onCommitted = () => {}) => {
      clearTimeout(timer);
      timer = undefined;
      sentAt = undefined;
      client.on("offset.commit", (error, partitions) => {
        sentAt = undefined;
        if (error) {
          speech.refused();
          log.debug({ reason: error.message }, "offsets not committed, trying again");
          return;
        }
        offsets.committed(partitions);
        onCommitted();
      });
    },
    send,
    sendSoon: (client) => {
      const inMs = lastAt + intervalMs - nowMs();
      if (inMs <= 0) send(client);
      else timer ??= setTimeout(() => send(client), inMs);
    },
  };
}

/** While there is work, something new is said so often. */
const sayMs = 1000;
/**
 * And so often when there is none, to be known to be there. After a commit that was refused the
 * next ones go without it for as long: it may be the reason, where the broker takes less
 * (`offset.metadata.max.bytes`), and must never hold up the others.
 */
const idleMs = 5000;

function createSpeech({ says, nowMs }: Required<SpeechOptions>) {
  let saidAt = Number.NEGATIVE_INFINITY;
  let silentUntil = Number.NEGATIVE_INFINITY;
  let said: ConsumerFigures | undefined;
  let isOld = false;
  const isSilent = () => says === undefined || nowMs() < silentUntil;
  return {
    // What was done since it last spoke is said as soon as it may speak again.
    isDue: () => !isSilent() && nowMs() - saidAt >= (isOld ? sayMs : idleMs),
    on: (commit: CommitOffset): CommitOffset => {
      if (isSilent()) return commit;
      isOld = nowMs() - saidAt < sayMs;
      if (!isOld) {
        said = says?.();
        saidAt = nowMs();
      }
      return { ...commit, metadata: noteText(commit.metadata, said) };
    },
    refused: () => {
      if (says) silentUntil = nowMs() + idleMs;
    },
  };
}
