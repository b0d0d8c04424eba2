import { describe, expect, test } from "bun:test";
import { readConfig } from "../../../lib/config.ts";
import { consumerProperties } from "../../../lib/topic/member.ts";
import { producerProperties } from "../../../lib/topic/producer.ts";

const topic = (properties: Record<string, unknown> = {}) =>
  readConfig({ KAFKA_PROPERTIES: JSON.stringify(properties) }).topic;

describe("what the delivery promise rests on", () => {
  test("a record is acknowledged by all replicas, and kept once per session of the producer", () => {
    expect(producerProperties(topic())).toMatchObject({ acks: "all", "enable.idempotence": true });
  });

  test("a record goes to the partition that Java's clients choose for its key", () => {
    expect(producerProperties(topic()).partitioner).toBe("murmur2_random");
  });

  test("offsets are committed by hand alone, and a new group reads from the first record", () => {
    expect(consumerProperties(topic())).toMatchObject({
      "enable.auto.commit": false,
      "enable.auto.offset.store": false,
      "auto.offset.reset": "earliest",
    });
  });

  test.each([
    ["acks", 1],
    ["enable.idempotence", false],
    ["enable.auto.commit", true],
    ["auto.offset.reset", "latest"],
    ["message.timeout.ms", 1],
    ["group.id", "another"],
  ])("%s cannot be set from outside", (name, value) => {
    const config = topic({ [name]: value });
    const taken = expect.objectContaining({
      code: "usage",
      message: expect.stringContaining(name),
    });
    expect(() => producerProperties(config)).toThrow(taken);
    expect(() => consumerProperties(config)).toThrow(taken);
  });
});

describe("the group's protocol", () => {
  test("is cooperative, and notices a dead member within ten seconds", () => {
    expect(consumerProperties(topic())).toMatchObject({
      "partition.assignment.strategy": "cooperative-sticky",
      "session.timeout.ms": 10_000,
    });
  });

  test("of Kafka 4 leaves that to the broker", () => {
    const properties = consumerProperties(topic({ "group.protocol": "consumer" }));
    expect(properties["group.protocol"]).toBe("consumer");
    for (const name of ["partition.assignment.strategy", "session.timeout.ms"]) {
      expect(properties).not.toHaveProperty([name]);
    }
  });
});
