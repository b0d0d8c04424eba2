import type { IAdminClient, LibrdKafkaError, TopicPartition } from "@confluentinc/kafka-javascript";
import type { Config } from "../config.ts";
import { type ErrorCode, PipelineError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Batches } from "../native/batches.ts";
import { loadKafkaClient } from "../native/load.ts";
import { retry } from "../retry.ts";

/**
 * What both sides of the topic share: the client, its settings, its errors in our words, and the
 * topics.
 */

export type Kafka = typeof import("@confluentinc/kafka-javascript");
export type Properties = Record<string, string | number | boolean>;

export interface TopicOptions {
  readonly log: Log;
  readonly signal: AbortSignal;
}

// What the package has and its types leave out.
declare module "@confluentinc/kafka-javascript" {
  interface KafkaConsumer {
    incrementalAssign(partitions: TopicPartition[]): this;
    incrementalUnassign(partitions: TopicPartition[]): this;
    setDefaultIsTimeoutOnlyForFirstMessage(only: boolean): void;
    assignmentLost(): boolean;
  }
}

/** What the delivery promise rests on is not the user's to set. */
const promised =
  /^(bootstrap\.servers|metadata\.broker\.list|group\.id|.*_cb|enable\.auto\..*|auto\.offset\.reset|acks|request\.required\.acks|enable\.idempotence|message\.timeout\.ms|delivery\.timeout\.ms|enable\.partition\.eof|transactional\.id)$/;

/**
 * Settings of every client; what the user sets in KAFKA_PROPERTIES wins, but for what is promised.
 */
export function clientProperties(config: Config["topic"], own: Properties): Properties {
  const taken = Object.keys(config.properties).filter((name) => promised.test(name));
  if (taken.length > 0) {
    throw new PipelineError("usage", `KAFKA_PROPERTIES: ${taken.join(", ")} cannot be set there`);
  }
  return {
    "bootstrap.servers": config.brokers.join(","),
    "client.id": "users-pipeline",
    // Found again quickly after a restart; the default backs off to 10 s.
    "reconnect.backoff.max.ms": 2000,
    // How late partitions that are added are noticed; every five minutes by default.
    "topic.metadata.refresh.interval.ms": 10_000,
    "allow.auto.create.topics": false,
    ...own,
    ...config.properties,
  };
}

/**
 * How large a record may be: the default of Java's clients, just below that of the brokers
 * (1,048,588).
 */
export const maxRecordBytes = 1_048_576;
/**
 * A dead letter is the whole record with headers saying why; larger ones go without their value.
 */
export const maxDeadLetterBytes = 2 * maxRecordBytes;

const requestMs = 10_000;

/**
 * Creates the topic and the dead-letter topic if they are missing; waits for Kafka as long as it is
 * down.
 */
export async function ensureTopics(
  config: Config["topic"],
  { log, signal }: TopicOptions,
): Promise<void> {
  const kafka = await loadKafkaClient();
  await retry(() => createTopics(kafka, config, signal), {
    what: `Kafka at ${config.brokers.join(",")}`,
    hint: "is it running? `bun run servers up` starts a local one; KAFKA_BROKERS names another",
    log,
    signal,
  });
}

async function createTopics(
  kafka: Kafka,
  config: Config["topic"],
  signal: AbortSignal,
): Promise<void> {
  const unreachable = whenUnreachable();
  const properties = clientProperties(config, {});
  const admin = configured(() => kafka.AdminClient.create(properties, unreachable.events));
  const working = createMissingTopics(admin, config);
  // Only when its request has ended: before that, disconnecting blocks this thread until it does.
  const close = () => void admin.disconnect();
  working.then(close, close);
  const made = working.then(() => {});
  await untilAborted(Promise.race([unreachable.rejection, made]), signal);
}

/** Creates those topics that are missing: their names. */
export async function createMissingTopics(
  admin: IAdminClient,
  config: Config["topic"],
): Promise<readonly string[]> {
  // The broker's clock, not the producer's: one that runs an hour ahead would be refused.
  const clock = { "message.timestamp.type": "LogAppendTime" };
  const settings = {
    [config.name]: clock,
    [config.deadLetters]: {
      ...clock,
      "retention.ms": "-1",
      "max.message.bytes": String(maxDeadLetterBytes),
    },
  };
  const created: string[] = [];
  for (const [topic, own] of Object.entries(settings)) {
    if (await createTopic(admin, config, topic, own)) created.push(topic);
  }
  return created;
}

/** False if it was there. */
async function createTopic(
  admin: IAdminClient,
  { partitions, replication }: Config["topic"],
  topic: string,
  config: Record<string, string>,
): Promise<boolean> {
  const settings = { topic, num_partitions: partitions, replication_factor: replication, config };
  try {
    await called<void>(`create topic ${topic}`, (done) =>
      admin.createTopic(settings, requestMs, done),
    );
    return true;
  } catch (error) {
    const code = kafkaCode(error);
    if (code === codes.topicExists) return false;
    // An account that may create nothing can work with what is there.
    if (code !== codes.topicDenied && code !== codes.clusterDenied) throw error;
    const there = await called<string[]>("list topics", (done) =>
      admin.listTopics({ timeout: requestMs }, done),
    );
    if (!there?.includes(topic)) throw error;
    return false;
  }
}

/**
 * The client tries for ever to reach its brokers, and tells of it in events only: of an error its
 * name, and what it was in a log just before. Rejects when none of them can be reached or lets us
 * in, with the reason that the client told first.
 */
function whenUnreachable() {
  const { promise: rejection, reject } = Promise.withResolvers<never>();
  rejection.catch(() => {});
  const reasons: string[] = [];
  let detail: string | undefined;
  const hear = ({ fac, message }: { readonly fac: string; readonly message: string }) => {
    if (fac === "FAIL") detail ??= message.replace(/^\[thrd:[^\]]*\]: /, "");
  };
  const tell = (error: LibrdKafkaError) => {
    if (kafkaCode(error) !== codes.allBrokersDown) reasons.push(detail ?? error.message);
    detail = undefined;
    if (reasons.length > 1 || kafkaCode(error) === codes.allBrokersDown) {
      const cause = new Error(reasons[0] ?? error.message);
      reject(new PipelineError("unavailable", "Kafka, connect", { cause }));
    }
  };
  return { rejection, events: { "event.error": tell, "event.log": hear } };
}

/** Makes a client. What it throws at once is about its settings. */
export function configured<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new PipelineError("usage", `KAFKA_PROPERTIES: ${message}`, { cause });
  }
}

/**
 * A call of the client with its callback as a promise, its error in our words. With a signal,
 * rejects with its reason as soon as it aborts, and the call is left to itself.
 */
export function called<T>(
  what: string,
  call: (done: (error: unknown, result?: T) => void) => void,
  signal?: AbortSignal,
): Promise<T> {
  const answer = asked(
    what,
    () =>
      new Promise<T>((resolve, reject) => {
        call((error, result) => (error ? reject(error) : resolve(result as T)));
      }),
  );
  return signal === undefined ? answer : untilAborted(answer, signal);
}

/** The work's outcome, or the signal's reason as soon as it aborts. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Calls Kafka and says what went wrong in our words: `what` was asked of it. */
export async function asked<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw kafkaError(what, cause);
  }
}

export function kafkaError(what: string, cause: unknown): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new PipelineError(codeOf(cause), `Kafka, ${what}: ${message}`, { cause });
}

/** What a batch says of a failure, as an error of the client. */
export function clientError(batches: Pick<Batches, "err2str">, code: number): Error {
  return Object.assign(new Error(batches.err2str(code)), { code });
}

/** The client's own number for an error of ours or of its own; undefined for anything else. */
export function kafkaCode(error: unknown): number | undefined {
  const at = error instanceof PipelineError ? error.cause : error;
  return at instanceof Error && "code" in at && typeof at.code === "number" ? at.code : undefined;
}

/** librdkafka's numbers: those below zero are its own, the others the protocol's. */
export const codes = {
  queueFull: -184,
  allBrokersDown: -187,
  invalidArgument: -186,
  timedOut: -185,
  messageTimedOut: -192,
  unknownProperty: -178,
  assign: -175,
  fatal: -150,
  unknownTopic: 3,
  messageTooLarge: 10,
  invalidTopic: 17,
  recordListTooLarge: 18,
  requestTimedOut: 7,
  topicDenied: 29,
  clusterDenied: 31,
  topicExists: 36,
  invalidPartitions: 37,
  invalidConfig: 40,
  invalidRecord: 87,
} as const;

/** Errors that concern one record alone: sending it again will never help. */
export const recordCodes: readonly number[] = [
  codes.messageTooLarge,
  codes.recordListTooLarge,
  codes.invalidRecord,
];

const timeouts: readonly number[] = [codes.timedOut, codes.messageTimedOut, codes.requestTimedOut];
const settingCodes: readonly number[] = [
  codes.invalidArgument,
  codes.unknownProperty,
  codes.invalidTopic,
  codes.invalidPartitions,
  codes.invalidConfig,
];

function codeOf(error: unknown): ErrorCode {
  const code = kafkaCode(error);
  if (code === undefined) return "unavailable";
  if (timeouts.includes(code)) return "timeout";
  if (recordCodes.includes(code)) return "refused";
  return settingCodes.includes(code) ? "usage" : "unavailable";
}
