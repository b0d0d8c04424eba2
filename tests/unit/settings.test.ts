import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { readConfig, settingDefaults } from "../../lib/config.ts";
import { nationalities } from "../../lib/domain/nationalities.ts";
import { PipelineError } from "../../lib/errors.ts";
import { jsonLine } from "../../lib/printable.ts";

const project = join(import.meta.dir, "../..");

describe("readConfig", () => {
  test("an empty environment gives the documented defaults", () => {
    expect(readConfig({})).toEqual({
      source: { url: "https://randomuser.me/api/1.4/", usersPerFiveMinutes: 20_000 },
      runs: { results: 1000, nat: [] },
      perform: {
        atOnce: 4,
        policy: {
          ...{ retries: 5, delayMs: 1000, exponential: true },
          ...{ maxDelayMs: 300_000, timeoutMs: 21_600_000 },
        },
      },
      schedule: { cron: "0 * * * *", timezone: "UTC" },
      raw: { url: "postgres://postgres@localhost:5432/postgres" },
      topic: {
        brokers: ["localhost:9092"],
        name: "users_created",
        deadLetters: "users_created.dlq",
        group: "users_created_sink",
        partitions: 6,
        replication: 1,
        properties: {},
      },
      sink: {
        contactPoints: ["localhost:9042"],
        keyspace: "spark_streams",
        table: "created_users",
        replication: 1,
        username: "",
        password: "",
        tlsCa: "",
      },
      http: { host: "127.0.0.1", port: 8080, consumerPort: 8081, token: "", auth: "on" },
      keep: { raw: 0, logs: 90, runs: 0 },
      history: { days: 14 },
      alerts: { url: "", secret: "", deadlineMs: 0 },
      traces: {
        ...{ on: false, url: "http://localhost:4318/v1/traces", headers: {} },
        ...{ service: "", resource: {}, sampler: { name: "parentbased_always_on", ratio: 1 } },
      },
      log: { level: "info" },
    });
  });

  test("an empty value means the default, and other variables mean nothing", () => {
    const empty = Object.fromEntries(Object.keys(settingDefaults()).map((name) => [name, ""]));
    expect(readConfig({ ...empty, PATH: "/bin", results: "7" })).toEqual(readConfig({}));
  });

  test("values are read as numbers, lists and objects", () => {
    const config = readConfig({
      RESULTS: "5",
      NAT: "GB, us",
      KAFKA_BROKERS: "broker-1:29092, [::1]:9092",
      KAFKA_PROPERTIES: '{"security.protocol":"ssl","socket.keepalive.enable":true}',
      KAFKA_TOPIC: "people",
    });
    expect(config.runs).toEqual({ results: 5, nat: ["gb", "us"] });
    expect(config.topic.brokers).toEqual(["broker-1:29092", "[::1]:9092"]);
    expect(config.topic.properties).toEqual({
      "security.protocol": "ssl",
      "socket.keepalive.enable": true,
    });
    expect(config.topic.deadLetters).toBe("people.dlq");
  });

  test("auto keeps to randomuser.me's limit and limits no other host", () => {
    const limit = (env: Record<string, string>) => readConfig(env).source.usersPerFiveMinutes;
    expect(limit({ SOURCE_URL: "https://api.randomuser.me/" })).toBe(20_000);
    expect(limit({ SOURCE_URL: "http://localhost:8090/api/1.4/" })).toBe(0);
    expect(limit({ RATE_LIMIT: "300" })).toBe(300);
    expect(limit({ RATE_LIMIT: "0" })).toBe(0);
  });

  test("spans are sent where that is asked for, or an address is given and it is not refused", () => {
    const traces = (env: Record<string, string>) => readConfig(env).traces;
    const local = "http://localhost:4318/v1/traces";
    expect(traces({ OTEL_TRACES_EXPORTER: "otlp" })).toMatchObject({ on: true, url: local });
    const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector:4318/base/" };
    const url = "https://collector:4318/base/v1/traces";
    expect(traces(base)).toMatchObject({ on: true, url });
    const whole = { ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://other/spans" };
    expect(traces(whole)).toMatchObject({ on: true, url: "http://other/spans" });
    expect(traces({ ...base, OTEL_TRACES_EXPORTER: "none" }).on).toBe(false);
    expect(traces({ ...base, OTEL_SDK_DISABLED: "true" }).on).toBe(false);
    expect(
      traces({
        OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x, a=1",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS: "a=2==",
        OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test,k=",
        OTEL_TRACES_SAMPLER: "traceidratio",
        OTEL_TRACES_SAMPLER_ARG: "0.25",
      }),
    ).toMatchObject({
      headers: { authorization: "Bearer x", a: "2==" },
      resource: { "deployment.environment.name": "test", k: "" },
      sampler: { name: "traceidratio", ratio: 0.25 },
    });
  });

  test("the config cannot be changed", () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });

  test("all faults are reported together, each with name, value and what was expected", () => {
    const error = failureOf({
      RESULTS: "many",
      SCHEDULE: "hourly",
      PORT: "99999",
      KAFKA_GROUP: "g",
    });
    expect(error.code).toBe("usage");
    expect(error.message.split("\n").sort()).toEqual([
      'PORT="99999": expected a port number from 0 to 65535',
      'RESULTS="many": expected a number of users from 1 to 1000000',
      'SCHEDULE="hourly": expected a cron expression of 5 or 6 fields',
    ]);
  });

  test.each([
    ["SOURCE_URL", "ftp://example.org/", "an http or https URL"],
    ["SOURCE_URL", "randomuser.me", "an http or https URL"],
    ["RESULTS", "0", "a number of users from 1 to 1000000"],
    ["RESULTS", "1e3", "a number of users from 1 to 1000000"],
    ["NAT", "gb,xx", `nationalities out of ${nationalities.join(",")}`],
    ["RATE_LIMIT", "fast", "auto, 0 for none, or a number of users per five minutes"],
    ["RUNS_AT_ONCE", "0", "a number of runs from 1 to 64"],
    ["RETRIES", "-1", "a number of attempts from 0 to 1000"],
    ["RETRY_DELAY", "1.5", "a number of seconds from 0 to 86400"],
    ["RETRY_EXPONENTIAL_BACKOFF", "2", "on or off"],
    ["MAX_RETRY_DELAY", "86401", "a number of seconds from 0 to 86400"],
    ["EXECUTION_TIMEOUT", "never", "a number of seconds from 0, for none, to 604800"],
    ["SCHEDULE", "61 * * * *", "a cron expression of 5 or 6 fields"],
    ["SCHEDULE_TZ", "Mars/Olympus", "an IANA time zone"],
    ["KAFKA_BROKERS", "localhost", "host:port, several separated by commas"],
    ["KAFKA_TOPIC", "users created", "a topic name: letters, digits, . _ -"],
    ["KAFKA_TOPIC", "t".repeat(246), "a topic name: letters, digits, . _ -"],
    ["KAFKA_GROUP", "g".repeat(256), "a group name of up to 255 characters"],
    ["KAFKA_TOPIC", "users\r\ncreated", "a topic name: letters, digits, . _ -"],
    ["KAFKA_TOPIC", "../users", "a topic name: letters, digits, . _ -"],
    ["KAFKA_GROUP", "g\0", "a group name of up to 255 characters"],
    ["KAFKA_GROUP", "g\nh", "a group name of up to 255 characters"],
    ["CASSANDRA_KEYSPACE", 'k"; drop keyspace system; --', "a lower case CQL name"],
    ["CASSANDRA_TABLE", "t\n", "a lower case CQL name"],
    ["KAFKA_PARTITIONS", "0", "a number of partitions from 1 to 10000"],
    ["KAFKA_REPLICATION", "-1", "a number of replicas from 1 to 9"],
    ["CASSANDRA_CONTACT_POINTS", "a:1,,b:2", "host:port, several separated by commas"],
    ["CASSANDRA_KEYSPACE", "Spark", "a lower case CQL name"],
    ["CASSANDRA_TABLE", "t; drop", "a lower case CQL name"],
    ["CASSANDRA_REPLICATION", "10", "a number of replicas from 1 to 9"],
    ["HOST", "http://0.0.0.0", "a host name or address to listen on"],
    ["HOST", "a\u009b\u202eb/c", "a host name or address to listen on"],
    ["CONSUMER_PORT", "8081/tcp", "a port number from 0 to 65535"],
    ["API_AUTH", "no", "on or off"],
    ["KEEP_RAW_DAYS", "7d", "a number of days from 0, for ever, to 36500"],
    ["KEEP_LOGS_DAYS", "-1", "a number of days from 0, for ever, to 36500"],
    ["KEEP_RUNS_DAYS", "36501", "a number of days from 0, for ever, to 36500"],
    ["ALERT_DEADLINE", "1 day", "a number of seconds from 0, for none, to 31622400"],
    ["OTEL_TRACES_EXPORTER", "jaeger", "otlp or none"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "an http or https URL"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/json"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a", "name=value, several separated by commas"],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=%", "name=value with each % as %25"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.1", "a number from 0 to 1"],
    ["LOG_LEVEL", "loud", "debug, info, warn, error or silent"],
  ])("%s=%j is refused", (name, value, expected) => {
    expect(failureOf({ [name]: value }).message).toBe(
      `${name}=${jsonLine(value)}: expected ${expected}`,
    );
  });

  test.each([
    ["API_TOKEN", "hunter2"],
    ["ALERT_SECRET", "hunter2"],
    ["ALERT_WEBHOOK", "ftp://example.org/hunter2"],
    ["DATABASE_URL", "mysql://root:hunter2@db/x"],
    ["KAFKA_PROPERTIES", '{"sasl.password":"hunter2"'],
    ["KAFKA_PROPERTIES", '{"sasl.password":["hunter2"]}'],
    ["SOURCE_URL", "ftp://me:hunter2@example.org/"],
    ["SOURCE_URL", "ftp://example.org/?key=hunter2"],
    ["KAFKA_BROKERS", "me:hunter2@broker:9092"],
    ["CASSANDRA_CONTACT_POINTS", "me:hunter2@node:9042"],
    ["DATABASE_URL", "postgres://me:hunter2%@db/x"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "hunter2"],
    ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=hunter2%"],
  ])("the value of %s is never shown", (name, value) => {
    const { message } = failureOf({ [name]: value });
    expect(message).toStartWith(`${name}=[secret]: expected `);
    expect(message).not.toContain("hunter2");
  });
});

describe("documentation of the settings", () => {
  test(".env.example lists every setting with its default, commented out", async () => {
    expect(await exampleSettings()).toEqual(Object.entries(settingDefaults()));
  });

  test(".env.example explains each setting in the line above it", async () => {
    const lines = (await Bun.file(join(project, ".env.example")).text()).split("\n");
    for (const [n, line] of lines.entries()) {
      if (setting.test(line)) expect(lines[n - 1]).toMatch(/^# .*\.$/);
    }
  });

  test(".env.example with everything uncommented gives the default config", async () => {
    const lines = (await exampleSettings()).map(([name, value]) => `${name}=${value}`);
    expect(readConfig(parseEnv(lines.join("\n")) as Record<string, string>)).toEqual(
      readConfig({}),
    );
  });

  test("README lists every setting with its default and a meaning", async () => {
    const readme = await Bun.file(join(project, "README.md")).text();
    expect(tableRows(readme)).toEqual(Object.entries(settingDefaults()));
  });

  test("a row of the table is read as name and default", () => {
    const rows = ["| `RESULTS` | `1000` | users per run |", "| `NAT` |  | all of them |"];
    expect(tableRows(rows.join("\n"))).toEqual([
      ["RESULTS", "1000"],
      ["NAT", ""],
    ]);
    expect(tableRows("| `RESULTS` | `1000` | |\n| `raw` | `x` | lower case |")).toEqual([]);
  });
});

const setting = /^# ([A-Z_]+)=(.*)$/;

async function exampleSettings(): Promise<[string, string][]> {
  const text = await Bun.file(join(project, ".env.example")).text();
  return text.split("\n").flatMap((line): [string, string][] => {
    const [, name, value] = setting.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
}

/** Rows of the form: | `NAME` | `default` | meaning |, where the default's cell may be empty. */
function tableRows(markdown: string): [string, string][] {
  return [...markdown.matchAll(/^\| `([A-Z_]+)` \| *(?:`([^`]*)`)? *\| *[^\s|].*\|$/gm)].map(
    ([, name = "", value = ""]) => [name, value],
  );
}

function failureOf(env: Record<string, string>): PipelineError {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error("was accepted");
}
