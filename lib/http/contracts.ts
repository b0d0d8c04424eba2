import { toJsonSchema } from "@valibot/to-json-schema";
import type { Config } from "../config.ts";
import { format } from "../domain/event.ts";
import { letterHeaders, replayHeaders } from "../domain/letter.ts";
import { User } from "../domain/user.ts";

/** The topic, as far as those who read it or write to it need to know. */
export type DocumentedTopic = Pick<
  Config["topic"],
  "brokers" | "name" | "deadLetters" | "partitions" | "replication" | "properties"
>;

/** The record on the topic as JSON Schema: whatever it takes the consumer writes to the table. */
export function userSchema() {
  // What it cannot say, that a day exists and that text is well-formed, is left out.
  const schema = toJsonSchema(User, {
    target: "draft-2020-12",
    typeMode: "input",
    errorMode: "ignore",
  });
  return { ...schema, title: "User" };
}

/** The topics as AsyncAPI 3.0. */
export function asyncApi({ name, deadLetters, ...topic }: DocumentedTopic) {
  const { $schema: _, ...payload } = userSchema();
  const secure = String(topic.properties["security.protocol"] ?? "").includes("ssl");
  const servers = topic.brokers.map((host, n) => [
    `broker${n + 1}`,
    { host, protocol: secure ? "kafka-secure" : "kafka" },
  ]);
  const key = { type: "string", format: "uuid", description: "The user's id, as in the value." };
  return {
    asyncapi: "3.0.0",
    info: {
      title: "users-pipeline",
      version: format,
      description: "Users, from the outbox in PostgreSQL to the table in Cassandra or ScyllaDB.",
    },
    defaultContentType: "application/json",
    servers: Object.fromEntries(servers),
    channels: {
      users: {
        address: name,
        description: `At least once, in the order of versions for each id. ${partitioning}`,
        messages: { user: { $ref: "#/components/messages/user" } },
        bindings: { kafka: { partitions: topic.partitions, replicas: topic.replication } },
      },
      deadLetters: {
        address: deadLetters,
        description: "Records that could not be written, as they were. Never expires.",
        messages: { deadLetter: { $ref: "#/components/messages/deadLetter" } },
      },
    },
    operations: {
      publishUsers: { action: "send", channel: { $ref: "#/channels/users" } },
      writeUsers: { action: "receive", channel: { $ref: "#/channels/users" } },
      publishDeadLetters: { action: "send", channel: { $ref: "#/channels/deadLetters" } },
    },
    components: {
      messages: {
        user: { payload, headers: object(userHeaders), bindings: { kafka: { key } } },
        deadLetter: {
          headers: object(deadLetterHeaders, [letterHeaders.topic, letterHeaders.message]),
          payload: {
            description: "The value as it was, which may be no JSON; absent when it was too large.",
          },
        },
      },
    },
  };
}

const partitioning = "Partitioned by key with murmur2, as Java clients do.";

const userHeaders = {
  version:
    "Microseconds since 1970: which of two states of a user is the newer one, and the write time in the table. A record without it counts as written at its own time.",
  format: `The format of the value: "${format}". Raised when an old reader would misread it.`,
  run: "The run that received it.",
  raw: "The row of raw_users it was made of.",
  traceparent:
    "W3C Trace Context: the trace that its run belongs to, and so the same for all records of a run.",
  tracestate: "W3C Trace Context: where the request for the run had one.",
  [replayHeaders.origin]: "Of a record that goes through the topic again: its first place.",
  [replayHeaders.attempts]: "How often it has become a dead letter.",
  [replayHeaders.timestamp]: "The Kafka timestamp it had at first, in milliseconds.",
};

const deadLetterHeaders = {
  [letterHeaders.topic]: "The topic it was read from.",
  [letterHeaders.partition]: "Its partition there.",
  [letterHeaders.offset]: "Its offset there: the three together name it.",
  [letterHeaders.stage]: "Where it failed: decode or write.",
  [letterHeaders.message]: "Why.",
  [letterHeaders.path]: "The field that is wrong.",
  [letterHeaders.bytes]: "The size of the value, where it had to be left out.",
  [replayHeaders.attempts]: "How often it has become a dead letter.",
};

function object(fields: Readonly<Record<string, string>>, required: readonly string[] = []) {
  const properties = Object.entries(fields).map(([name, description]) => [
    name,
    { type: "string", description },
  ]);
  return { type: "object", properties: Object.fromEntries(properties), required };
}
