import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decode,
  encode,
  format,
  type ReceivedRecord,
  wholeHeader,
} from "../../../lib/domain/event.ts";
import { record, rows, users } from "../../users.ts";

const now = 1_800_000_000_000;
const [row] = rows(1);
if (!row) throw new Error("no row");
const { user, version } = row;
const good = { key: user.id, value: user, headers: { version: String(version), format } };
const reasonOf = (received: ReceivedRecord) => {
  const decoded = decode(received, now);
  return "rejection" in decoded ? decoded.rejection : decoded;
};

describe("a record", () => {
  test("reads back as the user and version it was made of", () => {
    for (const each of rows(100)) {
      const { key, value, headers } = encode(each, { run: 7, raw: 8 });
      const read = record({
        key,
        value: Buffer.from(value),
        headers: Object.assign({}, ...headers),
      });
      expect(decode(read, now)).toEqual(each);
      expect(key).toBe(each.user.id);
      expect([wholeHeader(read, "run"), wholeHeader(read, "raw")]).toEqual([7, 8]);
    }
  });

  test("has its headers one by one, in a fixed order", () => {
    expect(encode(row, { run: 7, raw: 8 }).headers).toEqual([
      { version: String(version) },
      { format: "1" },
      { run: "7" },
      { raw: "8" },
    ]);
  });

  test("names the trace of its run, and the state that goes with it", () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const of = (tracestate: string | null) =>
      encode(row, { run: 7, raw: 8, trace: { traceparent, tracestate } }).headers.slice(4);
    expect(of("congo=t61rcWkgMzE")).toEqual([{ traceparent }, { tracestate: "congo=t61rcWkgMzE" }]);
    expect(of(null)).toEqual([{ traceparent }]);
  });

  test("is the same for the same user and version, whatever its text is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(), (name, at) => {
        const each = { user: { ...user, first_name: name }, version: at };
        const { key, value, headers } = encode(each, { run: 1, raw: 1 });
        expect(
          decode(
            record({ key, value: Buffer.from(value), headers: Object.assign({}, ...headers) }),
            now,
          ),
        ).toEqual(each);
        expect(encode(each, { run: 1, raw: 1 }).value).toBe(value);
      }),
    );
  });

  test("may have a key that is empty or missing: the id in the value counts", () => {
    expect(decode(record({ ...good, key: "" }), now)).toEqual(row);
    expect(decode(record({ ...good, key: null }), now)).toEqual(row);
  });

  test("may have headers and fields that nobody knows", () => {
    const headers = {
      ...good.headers,
      "x-unknown": "1",
      traceparent: "00-1-2-03",
      "": Buffer.of(255),
    };
    expect(decode(record({ ...good, headers, value: { ...user, shoe_size: 43 } }), now)).toEqual(
      row,
    );
  });

  test("may begin with a byte order mark", () => {
    const value = Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), Buffer.from(JSON.stringify(user))]);
    expect(decode(record({ ...good, value }), now)).toEqual(row);
  });
});

describe("a record of another producer, without a version", () => {
  test("counts as written at its own time, in microseconds", () => {
    expect(decode(record({ value: user, timestampMs: now - 5 }), now)).toEqual({
      user,
      version: (now - 5) * 1000,
    });
  });

  test("is never of one write time with another of its millisecond: the later offset is newer", () => {
    const versions = [41_000, 41_001, 41_998, 41_999].map((offset) => {
      const decoded = decode(record({ value: user, timestampMs: now - 5, offset }), now);
      return "version" in decoded ? decoded.version - (now - 5) * 1000 : -1;
    });
    expect(versions).toEqual([0, 1, 998, 999]);
    const ahead = record({ value: user, timestampMs: now + 5, offset: 7 });
    expect(decode(ahead, now)).toMatchObject({ version: now * 1000 + 7 });
    const timeless = record({ value: user, timestampMs: -1, offset: 7 });
    expect(decode(timeless, now)).toMatchObject({ version: 7 });
  });

  test("with a version of its own keeps it, whatever its offset", () => {
    expect(decode(record({ ...good, offset: 7 }), now)).toEqual(row);
  });

  test("counts as written now, when its clock runs ahead", () => {
    expect(decode(record({ value: user, timestampMs: now + 5 }), now)).toEqual({
      user,
      version: now * 1000,
    });
  });

  test("counts as the oldest of all, when it has no time", () => {
    expect(decode(record({ value: user, timestampMs: -1 }), now)).toEqual({ user, version: 0 });
  });
});

describe("no user", () => {
  test.each([
    "",
    "x",
    "-1",
    "1.5",
    "1e3",
    " 1",
    "0x10",
    "9007199254740992",
    "99999999999999999999",
    "١٢",
  ])("has the version %j", (given) => {
    expect(reasonOf(record({ ...good, headers: { version: given } }))).toEqual({
      path: "version",
      reason: `header version: ${JSON.stringify(given)} is not a number of microseconds`,
    });
  });

  test("has a version that is more than a day ahead of its own time and of now", () => {
    const dayMs = 86_400_000;
    const at = (ms: number, timestampMs: number) =>
      reasonOf(record({ ...good, timestampMs, headers: { version: String(ms * 1000 + 1) } }));
    for (const [own, ahead] of [
      [now - 5000, now + dayMs],
      [now + 5000, now + 5000 + dayMs],
      [-1, now + dayMs],
    ] as const) {
      expect(at(ahead, own)).toEqual({
        path: "version",
        reason: `header version: "${ahead * 1000 + 1}" is more than a day ahead`,
      });
      expect(at(ahead - 1, own)).toHaveProperty("user");
    }
  });

  test.each(["2", "", "01", "1 ", "'); drop table x; --", "a\nb"])("has the format %j", (given) => {
    expect(reasonOf(record({ ...good, headers: { ...good.headers, format: given } }))).toEqual({
      path: "format",
      reason: `header format: ${JSON.stringify(given)} is not "1"`,
    });
  });

  test("is a record without a value", () => {
    expect(reasonOf(record({ ...good, value: null }))).toEqual({
      path: "",
      reason: "value: there is none",
    });
  });

  test.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("hello")],
    ["half of an object", Buffer.from('{"id":')],
    ["an object and more", Buffer.from(`${JSON.stringify(user)}{}`)],
    [
      "invalid UTF-8",
      Buffer.concat([Buffer.from('{"id":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]),
    ],
    ["UTF-16", Buffer.from(JSON.stringify(user), "utf16le")],
  ])("is a value of %s", (_, value) => {
    expect(reasonOf(record({ ...good, value }))).toEqual({
      path: "",
      reason: "value: nothing is not an object",
    });
  });

  test.each<[string, unknown, string]>([
    ["null in JSON", "null", "value: null is not an object"],
    ["a text in JSON", JSON.stringify("ada"), 'value: "ada" is not an object'],
    ["another type", { ...user, phone: 5551234 }, "phone: 5551234 is not text"],
    ["null for a field", { ...user, email: null }, "email: null is not text"],
    [
      "a day that never was",
      { ...user, dob: "1990-02-30" },
      'dob: "1990-02-30" is not a date such as 1990-01-01',
    ],
  ])("is %s", (_, value, reason) => {
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    expect(reasonOf(record({ ...good, value: bytes }))).toMatchObject({ reason });
  });

  test("is a list, or an object without fields", () => {
    for (const value of [[], [user], {}]) {
      expect(reasonOf(record({ ...good, value }))).toMatchObject({ path: "id" });
    }
  });

  test("has a reason that is short and well-formed, whatever is quoted in it", () => {
    const hostile = ["\u0001".repeat(500_000), `${"x".repeat(78)}${"😀".repeat(50)}`];
    for (const text of hostile) {
      for (const parts of [
        { ...good, headers: { format: text } },
        { ...good, headers: { version: text } },
        { ...good, value: { ...user, id: text } },
      ]) {
        const { reason } = reasonOf(record(parts)) as { reason: string };
        expect(reason.length).toBeLessThan(200);
        expect(reason.isWellFormed()).toBe(true);
      }
    }
  });

  test("is never an exception, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.uint8Array(), (value, given, form) => {
        const headers = { version: Buffer.from(given), format: Buffer.from(form) };
        expect(decode(record({ value: Buffer.from(value), headers }), now)).toHaveProperty(
          "rejection",
        );
      }),
    );
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(decode(record({ value: Buffer.from(json) }), now)).toHaveProperty("rejection");
      }),
    );
  });
});

test("a user's fields are those of the table, all of them required", () => {
  const [some] = users(1);
  for (const name of Object.keys(some ?? {})) {
    const { [name]: _, ...rest } = { ...some } as Record<string, string>;
    expect(reasonOf(record({ value: rest }))).toMatchObject({ path: name });
  }
});
