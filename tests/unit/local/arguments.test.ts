import { describe, expect, test } from "bun:test";
import { namesFrom, portsFrom } from "../../../lib/local/arguments.ts";

describe("the names of servers", () => {
  test("are all of them when none is given", () => {
    expect(namesFrom(undefined)).toEqual(["kafka", "cassandra", "postgres"]);
  });

  test("may come in any order", () => {
    expect(namesFrom("postgres,kafka")).toEqual(["kafka", "postgres"]);
  });

  test.each(["", "redis", "kafka,redis", "kafka,kafka", "Kafka"])("are not %j", (text) => {
    expect(() => namesFrom(text)).toThrow(/expected some of kafka,cassandra,postgres/);
  });
});

describe("the ports of servers", () => {
  test("are those given", () => {
    const given = { "kafka-port": "9192", "postgres-port": "0", home: "x" };
    expect(portsFrom(given)).toEqual({ kafka: 9192, postgres: 0 });
  });

  test.each(["", "-1", "1.5", "65536", "ninety"])("are not %j", (text) => {
    expect(() => portsFrom({ "cassandra-port": text })).toThrow(/--cassandra-port .* 0 to 65535/);
  });
});
