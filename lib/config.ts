import * as v from "valibot";
import { isCron, isTimeZone } from "./cron.ts";
import { nationalities } from "./domain/nationalities.ts";
import { PipelineError } from "./errors.ts";
import { jsonLine } from "./printable.ts";
import { traceSettings, tracesOf } from "./trace-settings.ts";

/**
 * Reads all settings at once. Every fault is reported together, each with name, value and what was
 * expected; the value of a secret is never shown.
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name in settings && value !== ""),
  );
  const parsed = v.safeParse(v.object(settings), given);
  if (!parsed.success) {
    throw new PipelineError("usage", parsed.issues.map((issue) => fault(issue, given)).join("\n"));
  }
  return grouped(parsed.output);
}

export type Config = ReturnType<typeof grouped>;

/**
 * The names of all settings with their defaults as text, for the README's table and `.env.example`.
 */
export function settingDefaults(): Record<string, string> {
  const env = v.parse(v.object(settings), {});
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      Array.isArray(value) || typeof value === "string" || typeof value === "number"
        ? String(value)
        : (JSON.stringify(value) ?? ""),
    ]),
  );
}

const whole = (least: number, most: number, expected: string) =>
  v.pipe(
    v.string(),
    v.regex(/^\d+$/, expected),
    v.transform(Number),
    v.minValue(least, expected),
    v.maxValue(most, expected),
  );
const port = whole(0, 65_535, "a port number from 0 to 65535");
const list = (expected: string, each: RegExp) =>
  v.pipe(
    v.string(),
    v.transform((text) => text.split(",").map((part) => part.trim())),
    v.array(v.pipe(v.string(), v.regex(each, expected))),
  );
const hosts = list(
  "host:port, several separated by commas",
  /^(\[[0-9a-fA-F:]+\]|[^\s:,/]+):\d{1,5}$/,
);
const name = (expected: string, shape: RegExp) => v.pipe(v.string(), v.regex(shape, expected));
const url = (expected: string, protocols: readonly string[]) =>
  v.pipe(
    v.string(),
    v.check((text) => protocols.includes(URL.parse(text)?.protocol ?? ""), expected),
  );
/**
 * Kafka: letters, digits, dot, underscore, hyphen, at most 249; less here, so that `.dlq` still
 * fits.
 */
const topicName = /^[A-Za-z0-9._-]{1,245}$/;
/** Unquoted CQL identifier; Cassandra and ScyllaDB allow 48 characters. */
const cqlName = /^[a-z][a-z0-9_]{0,47}$/;

const settings = {
  SOURCE_URL: v.optional(
    url("an http or https URL", ["http:", "https:"]),
    "https://randomuser.me/api/1.4/",
  ),
  RESULTS: v.optional(whole(1, 1_000_000, "a number of users from 1 to 1000000"), "1000"),
  NAT: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) =>
        text === ""
          ? []
          : text
              .toLowerCase()
              .split(",")
              .map((s) => s.trim()),
      ),
      v.array(v.picklist(nationalities, `nationalities out of ${nationalities.join(",")}`)),
    ),
    "",
  ),
  RATE_LIMIT: v.optional(
    v.union(
      [v.pipe(v.literal("auto")), whole(0, 1_000_000_000, "")],
      "auto, 0 for none, or a number of users per five minutes",
    ),
    "auto",
  ),
  RUNS_AT_ONCE: v.optional(whole(1, 64, "a number of runs from 1 to 64"), "4"),
  RETRIES: v.optional(whole(0, 1000, "a number of attempts from 0 to 1000"), "5"),
  RETRY_DELAY: v.optional(whole(0, 86_400, "a number of seconds from 0 to 86400"), "1"),
  RETRY_EXPONENTIAL_BACKOFF: v.optional(v.picklist(["on", "off"], "on or off"), "on"),
  MAX_RETRY_DELAY: v.optional(whole(0, 86_400, "a number of seconds from 0 to 86400"), "300"),
  EXECUTION_TIMEOUT: v.optional(
    whole(0, 604_800, "a number of seconds from 0, for none, to 604800"),
    "21600",
  ),
  SCHEDULE: v.optional(
    v.pipe(v.string(), v.check(isCron, "a cron expression of 5 or 6 fields")),
    "0 * * * *",
  ),
  SCHEDULE_TZ: v.optional(v.pipe(v.string(), v.check(isTimeZone, "an IANA time zone")), "UTC"),
  DATABASE_URL: v.optional(
    v.pipe(
      url("a postgres:// URL", ["postgres:", "postgresql:"]),
      v.check(isDecodable, "a postgres:// URL with each % of user and password as %25"),
    ),
    "postgres://postgres@localhost:5432/postgres",
  ),
  KAFKA_BROKERS: v.optional(hosts, "localhost:9092"),
  KAFKA_TOPIC: v.optional(name("a topic name: letters, digits, . _ -", topicName), "users_created"),
  KAFKA_GROUP: v.optional(
    name("a group name of up to 255 characters", /^[^\p{Cc}\p{Cs}]{1,255}$/u),
    "users_created_sink",
  ),
  KAFKA_PARTITIONS: v.optional(whole(1, 10_000, "a number of partitions from 1 to 10000"), "6"),
  KAFKA_REPLICATION: v.optional(whole(1, 9, "a number of replicas from 1 to 9"), "1"),
  KAFKA_PROPERTIES: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => jsonOr(text)),
      v.record(
        v.string(),
        v.union([v.string(), v.number(), v.boolean()]),
        'a JSON object of librdkafka properties, such as {"security.protocol":"ssl"}',
      ),
    ),
    "{}",
  ),
  CASSANDRA_CONTACT_POINTS: v.optional(hosts, "localhost:9042"),
  CASSANDRA_KEYSPACE: v.optional(name("a lower case CQL name", cqlName), "spark_streams"),
  CASSANDRA_TABLE: v.optional(name("a lower case CQL name", cqlName), "created_users"),
  CASSANDRA_REPLICATION: v.optional(whole(1, 9, "a number of replicas from 1 to 9"), "1"),
  CASSANDRA_USERNAME: v.optional(v.string(), ""),
  CASSANDRA_PASSWORD: v.optional(v.string(), ""),
  CASSANDRA_TLS_CA: v.optional(v.string(), ""),
  HOST: v.optional(name("a host name or address to listen on", /^[^\s/]+$/), "127.0.0.1"),
  PORT: v.optional(port, "8080"),
  CONSUMER_PORT: v.optional(port, "8081"),
  API_TOKEN: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^$|^[\x21-\x7e]{16,}$/, "at least 16 printable characters, no spaces"),
    ),
    "",
  ),
  API_AUTH: v.optional(v.picklist(["on", "off"], "on or off"), "on"),
  KEEP_RAW_DAYS: v.optional(whole(0, 36_500, "a number of days from 0, for ever, to 36500"), "0"),
  KEEP_LOGS_DAYS: v.optional(whole(0, 36_500, "a number of days from 0, for ever, to 36500"), "90"),
  KEEP_RUNS_DAYS: v.optional(whole(0, 36_500, "a number of days from 0, for ever, to 36500"), "0"),
  KEEP_HISTORY_DAYS: v.optional(
    whole(0, 36_500, "a number of days from 0, for ever, to 36500"),
    "14",
  ),
  ALERT_WEBHOOK: v.optional(
    v.union([v.pipe(v.literal("")), url("", ["http:", "https:"])], "an http or https URL"),
    "",
  ),
  ALERT_SECRET: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^$|^[\x21-\x7e]{16,}$/, "at least 16 printable characters, no spaces"),
    ),
    "",
  ),
  ALERT_DEADLINE: v.optional(
    whole(0, 31_622_400, "a number of seconds from 0, for none, to 31622400"),
    "0",
  ),
  ...traceSettings,
  LOG_LEVEL: v.optional(
    v.picklist(["debug", "info", "warn", "error", "silent"], "debug, info, warn, error or silent"),
    "info",
  ),
};

const secrets = /PASSWORD|TOKEN|PROPERTIES|DATABASE_URL|ALERT_WEBHOOK|SECRET|HEADERS/;

type Settings = v.InferOutput<v.ObjectSchema<typeof settings, undefined>>;

function grouped(env: Settings) {
  return Object.freeze({
    source: {
      url: env.SOURCE_URL,
      usersPerFiveMinutes: env.RATE_LIMIT === "auto" ? limitOf(env.SOURCE_URL) : env.RATE_LIMIT,
    },
    runs: { results: env.RESULTS, nat: env.NAT as readonly string[] },
    perform: {
      atOnce: env.RUNS_AT_ONCE,
      policy: {
        retries: env.RETRIES,
        delayMs: env.RETRY_DELAY * 1000,
        exponential: env.RETRY_EXPONENTIAL_BACKOFF === "on",
        maxDelayMs: env.MAX_RETRY_DELAY * 1000,
        timeoutMs: env.EXECUTION_TIMEOUT * 1000,
      },
    },
    schedule: { cron: env.SCHEDULE, timezone: env.SCHEDULE_TZ },
    raw: { url: env.DATABASE_URL },
    topic: {
      brokers: env.KAFKA_BROKERS as readonly string[],
      name: env.KAFKA_TOPIC,
      deadLetters: `${env.KAFKA_TOPIC}.dlq`,
      group: env.KAFKA_GROUP,
      partitions: env.KAFKA_PARTITIONS,
      replication: env.KAFKA_REPLICATION,
      properties: env.KAFKA_PROPERTIES,
    },
    sink: {
      contactPoints: env.CASSANDRA_CONTACT_POINTS as readonly string[],
      keyspace: env.CASSANDRA_KEYSPACE,
      table: env.CASSANDRA_TABLE,
      replication: env.CASSANDRA_REPLICATION,
      username: env.CASSANDRA_USERNAME,
      password: env.CASSANDRA_PASSWORD,
      tlsCa: env.CASSANDRA_TLS_CA,
    },
    http: {
      host: env.HOST,
      port: env.PORT,
      consumerPort: env.CONSUMER_PORT,
      token: env.API_TOKEN,
      auth: env.API_AUTH,
    },
    keep: { raw: env.KEEP_RAW_DAYS, logs: env.KEEP_LOGS_DAYS, runs: env.KEEP_RUNS_DAYS },
    history: { days: env.KEEP_HISTORY_DAYS },
    alerts: {
      url: env.ALERT_WEBHOOK,
      secret: env.ALERT_SECRET,
      deadlineMs: env.ALERT_DEADLINE * 1000,
    },
    traces: tracesOf(env),
    log: { level: env.LOG_LEVEL },
  });
}

/** randomuser.me answers 429 to an address that asks for more than 20,000 users in five minutes. */
function limitOf(sourceUrl: string): number {
  return new URL(sourceUrl).hostname.endsWith("randomuser.me") ? 20_000 : 0;
}

function fault(issue: v.BaseIssue<unknown>, given: Record<string, unknown>): string {
  const setting = String(issue.path?.[0]?.key ?? "");
  const value = jsonLine(given[setting]);
  // An address may carry user and password before an @, and keys in its query.
  const shown = secrets.test(setting) || /[@?]/.test(value) ? "[secret]" : value;
  return `${setting}=${shown}: expected ${issue.message}`;
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** User and password stand in a URL percent-encoded. */
function isDecodable(text: string): boolean {
  try {
    const { username = "", password = "" } = URL.parse(text) ?? {};
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
