import { describe, expect, test } from "bun:test";
import { fetchLines, statusTable, stepLine } from "../../../lib/local/show.ts";

test("a step says the server, what became of it, where and after how long", () => {
  const step = { name: "kafka", port: 9092, seconds: 4.1 } as const;
  expect(stepLine({ ...step, state: "starting" })).toBe("kafka: starting\n");
  expect(stepLine({ ...step, state: "ready" })).toBe(
    "kafka: ready on 127.0.0.1:9092 after 4.1 s\n",
  );
  expect(stepLine({ ...step, state: "up already" })).toBe("kafka: up already on 127.0.0.1:9092\n");
  expect(stepLine({ ...step, state: "stopped" })).toBe("kafka: stopped after 4.1 s\n");
  expect(stepLine({ ...step, state: "killed" })).toBe("kafka: did not stop within 4.1 s, killed\n");
});

test("the table tells servers that are down, up, and up without an answer", () => {
  const lines = statusTable([
    { name: "kafka", pid: 1, port: 9092, ready: true, dataDir: "/d/kafka" },
    { name: "cassandra", pid: 2, port: 9042, ready: false, dataDir: "/d/cassandra" },
    { name: "postgres", pid: null, port: 5432, ready: false, dataDir: "/d/postgres" },
  ]).split("\n");
  expect(lines[0]).toMatch(/^kafka +ready +pid 1 +127\.0\.0\.1:9092 +\/d\/kafka$/);
  expect(lines[1]).toMatch(/^cassandra +not answering +pid 2 /);
  expect(lines[2]).toMatch(/^postgres +down +127\.0\.0\.1:5432 /);
});

describe("the progress of a download", () => {
  const shown = (isTerminal: boolean) => {
    const texts: string[] = [];
    let now = 0;
    const show = fetchLines({ isTerminal, write: (text) => void texts.push(text), now: () => now });
    for (const part of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      now += 1000;
      show({ bytes: part * 1_000_000, totalBytes: 10_000_000 });
    }
    return texts;
  };

  test("is a line every quarter when piped", () => {
    expect(shown(false)).toEqual([
      "fetching Kafka and Cassandra: 3.0 of 10.0 MB, 30 %, 7 s left\n",
      "fetching Kafka and Cassandra: 5.0 of 10.0 MB, 50 %, 5 s left\n",
      "fetching Kafka and Cassandra: 8.0 of 10.0 MB, 80 %, 2 s left\n",
      "fetching Kafka and Cassandra: 10.0 of 10.0 MB, 100 %, 0 s left\n",
    ]);
  });

  test("is one line, written again and again, on a terminal", () => {
    const texts = shown(true);
    expect(texts.length).toBe(10);
    expect(texts.every((text) => text.startsWith("\r\x1b[K"))).toBe(true);
    expect(texts.map((text) => text.endsWith("\n"))).toEqual([...Array(9).fill(false), true]);
  });
});
