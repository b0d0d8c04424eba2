import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { letterHeaders } from "../../../lib/domain/letter.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { letterOrigin, openDeadLetters } from "../../../lib/topic/dead-letters.ts";
import { deadLettersContract } from "../../contracts/dead-letters.ts";
import { type MadeTopics, makeTopics } from "../../topics.ts";
import { never, record } from "../../users.ts";

setDefaultTimeout(180_000);

async function open(): Promise<
  MadeTopics & { readonly deadLetters: Awaited<ReturnType<typeof openDeadLetters>> }
> {
  await using opening = new AsyncDisposableStack();
  const topics = opening.use(await makeTopics());
  const deadLetters = opening.use(await openDeadLetters(topics.config, { log, signal: never }));
  const owned = opening.move();
  return { ...topics, deadLetters, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

deadLettersContract("the dead-letter topic of Kafka", async () => {
  const it = await open();
  const found = async () =>
    (await it.records(it.config.deadLetters)).map((letter) => {
      const { topic, partition, offset, attempts } = letterOrigin(letter);
      const header = (name: keyof typeof letterHeaders) =>
        String(letter.headers[letterHeaders[name]]);
      return {
        ...{ topic, partition, offset, attempts },
        ...{ stage: header("stage"), path: header("path") },
        reason: header("message"),
        key: letter.key?.toString() ?? null,
        value: letter.value?.toString() ?? null,
      };
    });
  return { deadLetters: it.deadLetters, found, [Symbol.asyncDispose]: it[Symbol.asyncDispose] };
});

const { timestampMs } = record();
const rejection = { path: "email", reason: "email: 5 is not text" };

describe("a dead letter", () => {
  test("has the headers of the record and those of Kafka Connect", async () => {
    await using it = await open();
    const dead = record({
      ...{ topic: "users", partition: 3, offset: 77 },
      headers: { raw: "42", version: "1", "x\r\ny": "a\nb", "'); drop": Buffer.of(0, 255) },
    });
    await it.deadLetters.put([{ record: dead, stage: "write", attempts: 1, rejection }]);
    const [letter] = await it.records(it.config.deadLetters);
    expect(letter?.headers).toEqual({
      ...dead.headers,
      "__connect.errors.topic": Buffer.from("users"),
      "__connect.errors.partition": Buffer.from("3"),
      "__connect.errors.offset": Buffer.from("77"),
      "__connect.errors.stage": Buffer.from("write"),
      "__connect.errors.exception.message": Buffer.from("email: 5 is not text"),
      "errors.path": Buffer.from("email"),
      "replay.attempts": Buffer.from("1"),
      "replay.timestamp": Buffer.from("1700000000000"),
    });
  });

  test("is known by the record it is about, and by the raw row if that is told", async () => {
    await using it = await open();
    const place = { topic: "users", partition: 3, offset: 77 };
    await it.deadLetters.put([
      {
        record: record({ ...place, headers: { raw: "42" } }),
        stage: "decode",
        attempts: 1,
        rejection,
      },
      {
        record: record({ ...place, offset: 78, headers: { raw: "x" } }),
        stage: "decode",
        attempts: 2,
        rejection,
      },
    ]);
    const origins = (await it.records(it.config.deadLetters)).map(letterOrigin);
    expect(origins).toEqual([
      { ...place, timestampMs, attempts: 1, raw: 42 },
      { ...place, timestampMs, offset: 78, attempts: 2, raw: null },
    ]);
  });

  test("is about where it was read, whatever the record claims in headers of the same name", async () => {
    await using it = await open();
    const headers = {
      ...{ [letterHeaders.topic]: "other", [letterHeaders.offset]: "1" },
      ...{ "replay.origin": "other/0/1", "replay.attempts": "7", "replay.timestamp": "1" },
      [letterHeaders.bytes]: "5000",
    };
    const dead = record({ topic: "users", partition: 0, offset: 5, headers });
    await it.deadLetters.put([{ record: dead, stage: "decode", attempts: 1, rejection }]);
    const [letter] = await it.records(it.config.deadLetters);
    expect(letter?.headers).not.toContainAnyKeys([letterHeaders.bytes, "replay.origin"]);
    expect(letter && letterOrigin(letter)).toEqual({
      ...{ topic: "users", partition: 0, offset: 5, timestampMs, attempts: 1, raw: null },
    });
  });

  test("of another writer, without such headers, is about itself", async () => {
    const foreign = record({ topic: "users.dlq", partition: 1, offset: 9, headers: { raw: "7" } });
    expect(letterOrigin(foreign)).toEqual({
      ...{ topic: "users.dlq", partition: 1, offset: 9, timestampMs, attempts: 1, raw: 7 },
    });
  });

  test.each<Record<string, string>>([
    { [letterHeaders.topic]: "a/b\0" },
    { [letterHeaders.partition]: "2147483648" },
    { [letterHeaders.offset]: "-1" },
  ])("of another writer, with a place that cannot be, is about itself: %j", (wrong) => {
    const told = {
      ...{ [letterHeaders.topic]: "users", [letterHeaders.partition]: "0" },
      ...{ [letterHeaders.offset]: "7", "replay.attempts": "99999999999", ...wrong },
    };
    const foreign = record({ topic: "users.dlq", partition: 1, offset: 9, headers: told });
    expect(letterOrigin(foreign)).toMatchObject({ topic: "users.dlq", offset: 9, attempts: 1 });
  });

  test("of a record whose headers are as large as a record may be fits too", async () => {
    await using it = await open();
    const format = Buffer.alloc(1_000_000, 1);
    await it.deadLetters.put([
      { record: record({ headers: { format } }), stage: "decode", attempts: 1, rejection },
    ]);
    const [letter] = await it.records(it.config.deadLetters);
    expect(letter?.headers.format?.length).toBe(format.length);
  });
});
