import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { silentLog as log } from "../../../lib/log.ts";
import { letterHeaders, letterOrigin, openDeadLetters } from "../../../lib/topic/dead-letters.ts";
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
      const { topic, partition, offset } = letterOrigin(letter);
      const header = (name: keyof typeof letterHeaders) =>
        String(letter.headers[letterHeaders[name]]);
      return {
        ...{ topic, partition, offset, stage: header("stage"), path: header("path") },
        reason: header("message"),
        key: letter.key?.toString() ?? null,
        value: letter.value?.toString() ?? null,
      };
    });
  return { deadLetters: it.deadLetters, found, [Symbol.asyncDispose]: it[Symbol.asyncDispose] };
});

const rejection = { path: "email", reason: "email: 5 is not text" };

describe("a dead letter", () => {
  test("has the headers of the record and those of Kafka Connect", async () => {
    await using it = await open();
    const dead = record({
      ...{ topic: "users", partition: 3, offset: 77 },
      headers: { raw: "42", version: "1", "x\r\ny": "a\nb", "'); drop": Buffer.of(0, 255) },
    });
    await it.deadLetters.put([{ record: dead, stage: "write", rejection }]);
    const [letter] = await it.records(it.config.deadLetters);
    expect(letter?.headers).toEqual({
      ...dead.headers,
      "__connect.errors.topic": Buffer.from("users"),
      "__connect.errors.partition": Buffer.from("3"),
      "__connect.errors.offset": Buffer.from("77"),
      "__connect.errors.stage": Buffer.from("write"),
      "__connect.errors.exception.message": Buffer.from("email: 5 is not text"),
      "errors.path": Buffer.from("email"),
    });
  });

  test("is known by the record it is about, and by the raw row if that is told", async () => {
    await using it = await open();
    const place = { topic: "users", partition: 3, offset: 77 };
    await it.deadLetters.put([
      { record: record({ ...place, headers: { raw: "42" } }), stage: "decode", rejection },
      {
        record: record({ ...place, offset: 78, headers: { raw: "x" } }),
        stage: "decode",
        rejection,
      },
    ]);
    const origins = (await it.records(it.config.deadLetters)).map(letterOrigin);
    expect(origins).toEqual([
      { ...place, raw: 42 },
      { ...place, offset: 78, raw: null },
    ]);
  });

  test("is about where it was read, whatever the record claims in headers of the same name", async () => {
    await using it = await open();
    const headers = { [letterHeaders.topic]: "other", [letterHeaders.offset]: "1" };
    const dead = record({ topic: "users", partition: 0, offset: 5, headers });
    await it.deadLetters.put([{ record: dead, stage: "decode", rejection }]);
    const [letter] = await it.records(it.config.deadLetters);
    expect(letter && letterOrigin(letter)).toEqual({
      ...{ topic: "users", partition: 0, offset: 5, raw: null },
    });
  });

  test("of another writer, without such headers, is about itself", async () => {
    const foreign = record({ topic: "users.dlq", partition: 1, offset: 9, headers: { raw: "7" } });
    expect(letterOrigin(foreign)).toEqual({ topic: "users.dlq", partition: 1, offset: 9, raw: 7 });
  });

  test("of a record whose headers are as large as a record may be fits too", async () => {
    await using it = await open();
    const format = Buffer.alloc(1_000_000, 1);
    await it.deadLetters.put([
      { record: record({ headers: { format } }), stage: "decode", rejection },
    ]);
    const [letter] = await it.records(it.config.deadLetters);
    expect(letter?.headers.format?.length).toBe(format.length);
  });
});
