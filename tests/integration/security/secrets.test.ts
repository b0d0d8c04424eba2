import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { runScript, type ScriptEnd, type Settings, startScript } from "../../scripts.ts";
import { openDatabase, openTopics } from "../../stations.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

/** A secret in every setting that can hold one, each to be found again wherever it shows. */
const settings: Settings = {
  SOURCE_URL: "http://mark-user:mark-source@127.0.0.1:1/api/?key=mark-query",
  DATABASE_URL: "postgres://account:mark%2Ddatabase@127.0.0.1:1/x",
  KAFKA_BROKERS: "127.0.0.1:1",
  KAFKA_PROPERTIES: JSON.stringify({
    "security.protocol": "sasl_ssl",
    "sasl.mechanisms": "PLAIN",
    "sasl.username": "account",
    "sasl.password": "mark-sasl",
    "ssl.key.password": "mark-key",
    // All that the client can tell of itself.
    debug: "all",
  }),
  CASSANDRA_CONTACT_POINTS: "127.0.0.1:1",
  CASSANDRA_USERNAME: "account",
  CASSANDRA_PASSWORD: "mark-store",
  API_TOKEN: "mark-token-0123456789",
  LOG_LEVEL: "debug",
  PORT: "0",
  CONSUMER_PORT: "0",
};

const mark = /mark(-|%2D)/i;

function hasNoSecret({ stdout, stderr }: Pick<ScriptEnd, "stdout" | "stderr">): void {
  expect(stdout).not.toMatch(mark);
  expect(stderr).not.toMatch(mark);
}

describe("where every server refuses, no secret is shown by", () => {
  test.each([
    ["migrate", []],
    ["ingest", ["--once"]],
    ["consume", ["--drain"]],
    ["verify", []],
  ])("%s %j", async (name, args) => {
    await using script = startScript(name, args, settings);
    // Not only the first failure: what it says later too.
    await script.says("still waiting");
    hasNoSecret(await script.end("SIGTERM"));
  });

  test.each([
    ["ingest", settings.API_TOKEN ?? ""],
    ["ingest", ""],
    ["consume", settings.API_TOKEN ?? ""],
    ["consume", ""],
  ])("%s, the service, in its answers too (token %j)", async (name, token) => {
    await using script = startScript(name, [], { ...settings, API_TOKEN: token });
    await script.says("still waiting");
    const url = /"url":"([^"]+)"/.exec(script.stderr)?.[1] ?? "";
    const answered = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(new URL(path, url), { headers });
      const { status } = answer;
      return { status, text: `${JSON.stringify([...answer.headers])}${await answer.text()}` };
    };
    await until(async () => (await answered("/readyz")).text.includes("waiting for"));
    for (const path of ["/healthz", "/readyz", "/api/runs", "/api/schedule", "/metrics", "/x"]) {
      for (const given of [token, "wrong-token-0123456789"]) {
        const { text } = await answered(path, { authorization: `Bearer ${given}` });
        expect(text).not.toMatch(mark);
      }
    }
    hasNoSecret(await script.end("SIGTERM"));
  });
});

describe("a setting that cannot be used is told without the secret:", () => {
  const properties = (over: object) => ({
    KAFKA_PROPERTIES: JSON.stringify({ ...JSON.parse(settings.KAFKA_PROPERTIES ?? ""), ...over }),
  });
  test.each([
    [{ ...properties({ "sasl.mechanisms": "NOPE" }) }],
    // The client repeats a value that it cannot use.
    [{ ...properties({ "sasl.mechanisms": "mark-sasl" }) }],
    [{ ...properties({ "sasl.jaas.config": "password=mark-jaas" }) }],
    [{ ...properties({ "ssl.key.pem": "-----BEGIN mark-pem" }) }],
    [{ ...properties({ debug: "mark-sasl" }) }],
    [{ ...properties({ "ssl.key.location": "/no/such/key" }) }],
    [properties({ "sasl.mechanisms": "OAUTHBEARER", "sasl.oauthbearer.config": "mark-bearer" })],
    [{ KAFKA_PROPERTIES: '{"sasl.password":"mark-json' }],
    [{ DATABASE_URL: "postgres://account:mark-database%@127.0.0.1:1/x" }],
    [{ DATABASE_URL: "postgres://account:mark-database@127.0.0.1:99999/x" }],
    [{ DATABASE_URL: "postgres://account:mark-database@127.0.0.1:1/x?sslmode=on" }],
    [{ SOURCE_URL: "ftp://mark-user:mark-source@example.org/?key=mark-query" }],
    [{ KAFKA_BROKERS: "mark-user:mark-password@127.0.0.1:1" }],
    [{ CASSANDRA_CONTACT_POINTS: "mark-user:mark-password@127.0.0.1:1" }],
    [{ API_TOKEN: "mark-short" }],
    [{ CASSANDRA_TLS_CA: "/no/such/ca" }],
  ] as const)("%j", async (over: Settings) => {
    await using script = startScript("migrate", [], { ...settings, ...over });
    await until(() => script.stderr !== "");
    hasNoSecret(await script.end("SIGTERM"));
  });
});

test("an API that repeats what it was asked gives no secret away, in the run either", async () => {
  using api = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) =>
      new Response(`${request.url} ${request.headers.get("authorization")} is not allowed`, {
        status: 403,
      }),
  });
  const url = new URL(settings.SOURCE_URL ?? "");
  url.port = String(api.port);
  await using database = await openDatabase();
  await using topics = await openTopics();
  const { exitCode, stdout, stderr } = await runScript("ingest", ["--once", "--results", "1"], {
    ...settings,
    SOURCE_URL: url.href,
    DATABASE_URL: database.config.url,
    KAFKA_BROKERS: topics.config.brokers.join(","),
    KAFKA_TOPIC: topics.config.name,
    KAFKA_PROPERTIES: "",
  });
  expect(exitCode).toBe(1);
  hasNoSecret({ stdout, stderr });
  expect(stdout + stderr).not.toContain(btoa("mark-user:mark-source"));
  expect(stdout).toContain("key=[secret]&");
  expect(stdout).toContain("Basic [secret]");
});
