import { describe, expect, test } from "bun:test";
import { readConfig } from "../../lib/config.ts";
import { concealer, secretsOf } from "../../lib/secrets.ts";

describe("the secrets of the settings", () => {
  test("are passwords, tokens, keys, and what addresses carry", () => {
    const properties = {
      "sasl.username": "kafka-user",
      "sasl.password": "kafka-pass",
      "ssl.key.password": "key-pass",
      "ssl.key.pem": "-----BEGIN KEY-----\nAAA",
      "ssl.ca.location": "/etc/ca.pem",
    };
    const secrets = secretsOf(
      readConfig({
        SOURCE_URL: "https://api-user:api-pass@example.org/api?key=api-key",
        DATABASE_URL: "postgres://me:p%40ss%20word@db/x",
        KAFKA_PROPERTIES: JSON.stringify(properties),
        CASSANDRA_PASSWORD: 'store "pass"',
        API_TOKEN: "0123456789abcdef",
        ALERT_WEBHOOK: "https://hooks.example.org/services/T1/B2?key=hook-key",
        ALERT_SECRET: "whsec_MfKQ9r8GKYqrTwjU",
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://otel-user:otel-pass@collector:4318",
        OTEL_EXPORTER_OTLP_HEADERS: "api-key=otel%20key",
      }),
    );
    const conceal = concealer(secrets);
    for (const secret of [
      ...["api-user", "api-pass", "api-key", "p%40ss%20word", "p@ss word", "kafka-pass"],
      ...["key-pass", "-----BEGIN KEY-----\nAAA", "-----BEGIN KEY-----\\nAAA"],
      ...['store "pass"', 'store \\"pass\\"', "0123456789abcdef"],
      ...["/services/T1/B2", "hook-key", "whsec_MfKQ9r8GKYqrTwjU"],
      ...["otel-user", "otel-pass", "otel key", "otel%20key"],
    ]) {
      expect(conceal(`before ${secret} after`)).toBe("before [secret] after");
    }
    for (const open of ["kafka-user", "/etc/ca.pem", "example.org", "hooks.example.org", "me"]) {
      expect(conceal(`before ${open} after`)).toContain(open);
    }
  });

  test("are none by default, and short ones are left alone", () => {
    expect(secretsOf(readConfig({}))).toEqual([]);
    expect(secretsOf(readConfig({ CASSANDRA_PASSWORD: "abcde" }))).toEqual([]);
  });

  test("are taken out whole where one begins with another", () => {
    expect(concealer(["secret", "secret-longer"])("a secret-longer b")).toBe("a [secret] b");
  });
});
