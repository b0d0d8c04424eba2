import type { Sent } from "../kafka-clients.ts";
import { users } from "../users.ts";

/** What other producers put on a topic by mistake or malice: no record of these is a user. */
export const poisonForms = [
  ...["not JSON", "wrong types", "missing fields", "null value", "empty key"],
  ...["largest", "unknown headers", "deep nesting", "invalid UTF-8", "NUL"],
] as const;

/** Just below what a broker takes (1,048,588 bytes), with room for what is around a value. */
const largestBytes = 1_048_000;

/** Some records of one form; the same seed gives the same ones. None of them can become a row. */
export function poisonOf(form: string, count: number, seed: string): Sent[] {
  return users(count, seed).map((user, at) => ({
    partition: -1,
    key: user.id,
    ...makers[form]?.(user, at),
  }));
}

type Maker = (user: ReturnType<typeof users>[number], at: number) => Sent;

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

const makers: Readonly<Record<string, Maker>> = {
  "not JSON": (_, at) => ({ value: Buffer.from(at % 2 ? "<html>502</html>" : '{"id": "') }),
  "wrong types": (user, at) => ({
    value: json(at % 2 ? { ...user, dob: 19_900_101 } : { ...user, address: { city: "X" } }),
  }),
  "missing fields": ({ email, ...rest }, at) => ({ value: json(at % 2 ? rest : {}) }),
  "null value": () => ({ value: null }),
  "empty key": () => ({ key: "", value: json([]) }),
  largest: ({ id }) => ({ value: json({ id, first_name: "x".repeat(largestBytes) }) }),
  "unknown headers": (user) => ({
    value: json({ ...user, phone: null }),
    headers: Array.from({ length: 50 }, (_, at) => ({
      [`x-${at}`]: "\u0000\u001b[2J\r\nforged: 1",
    })),
  }),
  "deep nesting": (_, at) => ({
    value: Buffer.from(at % 2 ? "[".repeat(200_000) : '{"id":'.repeat(100_000)),
  }),
  "invalid UTF-8": (user) => ({
    value: Buffer.concat([
      json(user).subarray(0, -2),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('"}'),
    ]),
  }),
  NUL: (_, at) => ({ key: "\u0000", value: Buffer.alloc(1 + at), headers: [{ format: "\u0000" }] }),
};
