import type { Message } from "@confluentinc/kafka-javascript";
import type { ReceivedRecord } from "../domain/event.ts";

/** A message of the client as our record. Reads it only: its bytes are not copied. */
export function received(message: Message): ReceivedRecord {
  return {
    topic: message.topic,
    partition: message.partition,
    offset: message.offset,
    timestampMs: message.timestamp ?? -1,
    key: bytes(message.key),
    value: message.value,
    headers: headers(message),
  };
}

function headers(message: Message): Record<string, Buffer> {
  const all: Record<string, Buffer> = {};
  for (const header of message.headers ?? []) {
    for (const name in header) {
      const value = bytes(header[name]);
      if (value !== null) all[name] = value;
    }
  }
  return all;
}

function bytes(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null;
  return Buffer.isBuffer(value) ? value : Buffer.from(String(value));
}
