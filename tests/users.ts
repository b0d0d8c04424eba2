import type { ReceivedRecord, VersionedUser } from "../lib/domain/event.ts";
import { parseApiUser, type User } from "../lib/domain/user.ts";
import type { JudgedPage } from "../lib/flow/source-to-raw.ts";
import { createUsers } from "../lib/local/fake-api/users.ts";

/** Never aborts. */
export const never = new AbortController().signal;

/** Users as the API sends them; the same seed gives the same ones. */
export function apiUsers(count: number, seed: string = crypto.randomUUID()) {
  const now = new Date("2026-01-01T00:00:00Z");
  return createUsers({ seed, page: 1, results: count, nat: [], now });
}

/** The same users as they stand on the topic and in the table. */
export function users(count: number, seed?: string): User[] {
  return apiUsers(count, seed).map((each) => {
    const judged = parseApiUser(each);
    if ("rejection" in judged) throw new Error(judged.rejection.reason);
    return judged.user;
  });
}

/** Rows with rising versions, from `version` on. */
export function rows(count: number, version = 1_700_000_000_000_000): VersionedUser[] {
  return users(count).map((user, at) => ({ user, version: version + at }));
}

/** A page as it is kept: API users and what is found of them. */
export function judgedPage(received: readonly unknown[], page = 1): JudgedPage {
  const judged = received.map((each) => {
    const verdict = parseApiUser(each);
    return "user" in verdict ? { id: verdict.user.id } : verdict;
  });
  return { page, payloads: received.map((user) => JSON.stringify(user)), users: judged };
}

export interface RecordParts {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly timestampMs?: number;
  readonly key?: string | Buffer | null;
  /** Anything but bytes and null is written as JSON. */
  readonly value?: unknown;
  readonly headers?: Readonly<Record<string, string | Buffer>>;
}

/** A record as a consumer gets it. */
export function record({
  topic = "users_created",
  partition = 0,
  offset = 0,
  timestampMs = 1_700_000_000_000,
  key = null,
  value = null,
  headers = {},
}: RecordParts = {}): ReceivedRecord {
  return {
    topic,
    partition,
    offset,
    timestampMs,
    key: typeof key === "string" ? Buffer.from(key) : key,
    value: value === null || Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]),
    ),
  };
}
