import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decode, encode } from "../../../lib/domain/event.ts";
import { parseApiUser, parseUser, type User, userAsWritten } from "../../../lib/domain/user.ts";

/** A user as version 1.4 of the API sends it. */
const fromApi = {
  gender: "female",
  name: { title: "Ms", first: "Ada", last: "Lovelace" },
  location: {
    street: { number: 12, name: "St James Square" },
    city: "London",
    state: "Greater London",
    country: "United Kingdom",
    postcode: "SW1Y 4LE",
    coordinates: { latitude: "51.5072", longitude: "-0.1364" },
    timezone: { offset: "0:00", description: "Western Europe Time, London, Lisbon, Casablanca" },
  },
  email: "ada.lovelace@example.com",
  login: {
    uuid: "4bdd802d-02f8-4215-b797-70a5282d4fa0",
    username: "purpleladybug546",
    password: "engine",
    salt: "dl9IihwD",
    md5: "19dd0d3f01ac196b55c9a6735144a495",
    sha1: "3748041bd163d75ca76a0d27f9165845fba9c6d8",
    sha256: "a0f22b9cc636c95ef4f5f1cde456669550fc15bd208f8877397e68b893b3880d",
  },
  dob: { date: "1945-11-15T08:52:12.562Z", age: 77 },
  registered: { date: "2015-12-16T14:10:32.242Z", age: 7 },
  phone: "024 2220 6584",
  cell: "07103 039347",
  id: { name: "NINO", value: "GT 84 35 54 F" },
  picture: {
    large: "https://randomuser.me/api/portraits/women/32.jpg",
    medium: "https://randomuser.me/api/portraits/med/women/32.jpg",
    thumbnail: "https://randomuser.me/api/portraits/thumb/women/32.jpg",
  },
  nat: "GB",
};

const ada: User = {
  id: "4bdd802d-02f8-4215-b797-70a5282d4fa0",
  first_name: "Ada",
  last_name: "Lovelace",
  gender: "female",
  address: "12 St James Square, London, Greater London, United Kingdom",
  email: "ada.lovelace@example.com",
  username: "purpleladybug546",
  dob: "1945-11-15",
  registered_date: "2015-12-16",
  phone: "024 2220 6584",
  picture: "https://randomuser.me/api/portraits/med/women/32.jpg",
};

describe("a user of the API", () => {
  test("becomes a record of eleven fields, without password, salt and hashes", () => {
    expect(parseApiUser(fromApi)).toEqual({ user: ada });
  });

  test.each<[string, string, unknown]>([
    ["a postcode that is a number", "location.postcode", 43081],
    ["no postcode at all", "location.postcode", undefined],
    ["an id without value", "id", { name: "", value: null }],
    ["a Finnish id", "id", { name: "HETU", value: "NaNNA229undefined" }],
    ["a phone with letters", "phone", "X19 R56-4877"],
    ["a cell with letters", "cell", "(099) T12-0813"],
    ["an empty password", "login.password", ""],
    ["a title that is not English", "name.title", "Mademoiselle"],
    ["a time zone of half an hour", "location.timezone.offset", "-3:30"],
    ["a nationality nobody has heard of", "nat", "XX"],
    ["a field that is new", "shoeSize", 44],
  ])("is accepted with %s", (_, path, value) => {
    expect(parseApiUser(changed(path, value))).toHaveProperty("user");
  });

  test.each<[string, string, string, string, string]>([
    ["Persian names", "name.first", "بنیامین", "first_name", "بنیامین"],
    ["Cyrillic names", "name.last", "Городоцький", "last_name", "Городоцький"],
    ["accents", "name.first", "Pélagie Ængström", "first_name", "Pélagie Ængström"],
    ["spaces around a name", "name.first", " Ada ", "first_name", " Ada "],
    ["an empty phone", "phone", "", "phone", ""],
    ["a NUL in a name", "name.first", "A\u0000a", "first_name", "A\u0000a"],
  ])("keeps %s as received", (_, path, value, field, kept) => {
    expect(parseApiUser(changed(path, value))).toEqual({ user: { ...ada, [field]: kept } });
  });

  test("has the parts of its address trimmed", () => {
    const location = {
      street: { number: 502, name: "Rua Sete de Setembro " },
      city: " Jaú",
      state: "Paraíba\t",
      country: " Brazil ",
    };
    expect(addressOf(changed("location", location))).toBe(
      "502 Rua Sete de Setembro, Jaú, Paraíba, Brazil",
    );
  });

  test("may have its street as one text, as before version 1.3", () => {
    const user = changed("location.street", "12 St James Square ");
    expect(addressOf(user)).toBe(ada.address);
  });

  test.each([
    ["1945-11-15T23:59:59.999Z", "1945-11-15"],
    ["1945-11-15T00:00:00.000Z", "1945-11-15"],
    ["1945-11-15T23:30:00-01:00", "1945-11-16"],
    ["1945-11-15T00:30:00+05:45", "1945-11-14"],
    ["2000-02-29T12:00:00Z", "2000-02-29"],
  ])("born at %s has the UTC date %s", (date, day) => {
    expect(parseApiUser(changed("dob.date", date))).toMatchObject({ user: { dob: day } });
    expect(parseApiUser(changed("registered.date", date))).toMatchObject({
      user: { registered_date: day },
    });
  });

  test("has one id however its UUID is spelled", () => {
    const shouted = changed("login.uuid", ada.id.toUpperCase());
    expect(parseApiUser(shouted)).toEqual({ user: ada });
  });

  test.each([
    "gender",
    "name.first",
    "name.last",
    "location.city",
    "location.state",
    "location.country",
    "email",
    "login.uuid",
    "login.username",
    "dob.date",
    "registered.date",
    "phone",
    "picture.medium",
  ])("without %s is rejected there", (path) => {
    for (const value of [undefined, null, 12, {}, []]) {
      const { path: where, reason } = rejectionOf(changed(path, value));
      expect(where).toBe(path);
      expect(reason).toStartWith(`${path}: `);
      expect(reason).toMatch(/ is (not |missing$)/);
    }
  });

  test.each(["name", "location", "login", "dob", "registered", "picture"])(
    "with %s that is no object is rejected there",
    (path) => {
      for (const value of [undefined, null, "text", 12]) {
        const { path: where, reason } = rejectionOf(changed(path, value));
        expect({ where, reason }).toEqual({
          where: path,
          reason: `${path}: ${value === undefined ? "is missing" : `${JSON.stringify(value)} is not an object`}`,
        });
      }
    },
  );

  test.each<[string, unknown]>([
    ["dob.date", "1990-02-30T12:00:00.000Z"],
    ["dob.date", "1990-13-01T12:00:00.000Z"],
    ["dob.date", "yesterday"],
    ["dob.date", "1990-01-01"],
    ["registered.date", "+010000-01-01T00:00:00.000Z"],
    ["login.uuid", "4bdd802d"],
    ["login.uuid", ` ${ada.id}`],
    ["name.first", "\ud83d"],
    ["location.street", null],
    ["location.street", undefined],
    ["location.street", { number: 1 }],
  ])("with %s %p is rejected there", (path, value) => {
    expect(rejectionOf(changed(path, value)).path).toStartWith(path);
  });

  test("is told with the value found and what was expected", () => {
    expect(rejectionOf(changed("phone", 5551234))).toEqual({
      path: "phone",
      reason: "phone: 5551234 is not text",
    });
    expect(rejectionOf(changed("login.uuid", "42"))).toEqual({
      path: "login.uuid",
      reason: 'login.uuid: "42" is not a UUID',
    });
  });

  test("is told in one short line even when the value is long", () => {
    const { reason } = rejectionOf(changed("login.uuid", "long\n".repeat(100_000)));
    expect(reason.length).toBeLessThan(200);
    expect(reason).not.toContain("\n");
  });

  test.each([[null], ["user"], [12], [undefined], [[]]])("is not %p", (value) => {
    expect(parseApiUser(value)).toHaveProperty("rejection");
  });
});

describe("a record", () => {
  test("is what it says it is", () => {
    expect(parseUser(ada)).toEqual({ user: ada });
  });

  test.each(Object.keys(ada))("needs %s", (field) => {
    for (const value of [undefined, null, 12]) {
      expect(parseUser({ ...ada, [field]: value })).toMatchObject({ rejection: { path: field } });
    }
  });

  test.each(["1990-2-1", "1990-02-30", "19900201", "1990-01-01T00:00:00Z", "0", ""])(
    "does not take %p for a day",
    (dob) => {
      expect(parseUser({ ...ada, dob })).toMatchObject({ rejection: { path: "dob" } });
    },
  );

  test("from any user of the API survives the topic", () => {
    fc.assert(
      fc.property(apiUser, fc.nat(), (input, version) => {
        const judged = parseApiUser(input);
        if (!("user" in judged)) throw new Error(judged.rejection.reason);
        const event = encode({ user: judged.user, version }, { run: 1, raw: 1 });
        const read = decode(received(event), 0);
        expect(read).toEqual({ user: judged.user, version });
        expect(event.key).toBe(judged.user.id);
      }),
    );
  });

  test("is either made or refused whatever JSON comes, and never thrown about", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }),
        fc.constantFrom(...paths),
        (json, path) => {
          const judged = parseApiUser(changed(path, json));
          if ("user" in judged) expect(parseUser(judged.user)).toEqual(judged);
          else expect(judged.rejection.reason).not.toBe("");
        },
      ),
    );
  });
});

describe("the quick way for plain users", () => {
  /** An id in capitals is for the schema to judge; it comes back in small letters. */
  const capitals = (id: string) => id.toUpperCase();

  test("makes of a user of the API what the schema makes of it", () => {
    fc.assert(
      fc.property(apiUser, (input) => {
        const { login } = input;
        const bySchema = { ...input, login: { ...login, uuid: capitals(login.uuid) } };
        expect(parseApiUser(input)).toEqual(parseApiUser(bySchema));
      }),
    );
  });

  test("takes a changed user as the schema does, or leaves it to the schema", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }),
        fc.constantFrom(...Object.keys(ada).filter((name) => name !== "id")),
        (json, field) => {
          const quick = parseUser({ ...ada, [field]: json });
          expect(quick).toEqual(parseUser({ ...ada, id: capitals(ada.id), [field]: json }));
        },
      ),
    );
  });

  test.each(["1999-02-29", "2000-02-29", "1900-02-29", "2024-02-29", "2023-04-31", "2023-12-31"])(
    "knows whether there is a %s",
    (dob) => {
      const there = new Date(dob).toISOString().startsWith(dob);
      expect("user" in parseUser({ ...ada, dob })).toBe(there);
    },
  );

  test("leaves out what is no field of a user", () => {
    expect(parseUser({ ...ada, password: "engine" })).toEqual({ user: ada });
  });
});

const paths = [
  ..."gender name name.first location location.street location.street.number".split(" "),
  ..."location.city login login.uuid dob dob.date registered.date picture picture.medium".split(
    " ",
  ),
];

/** Any text that UTF-8 can carry: every plane, right to left, combining marks, control characters, NUL. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom(
    "",
    " ",
    "\u0000",
    "\u202e",
    "מוסקבה",
    "نكو نظر",
    "👩‍👩‍👧‍👦",
    "\ufeff",
    '"\\',
    "\r\n",
  ),
);
const timestamp = fc
  .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString());
const apiUser = fc.record({
  gender: text,
  name: fc.record({ title: text, first: text, last: text }),
  location: fc.record({
    street: fc.oneof(text, fc.record({ number: fc.oneof(fc.nat(), text), name: text })),
    city: text,
    state: text,
    country: text,
    postcode: fc.oneof(fc.nat(), text),
  }),
  email: text,
  login: fc.record({ uuid: fc.uuid(), username: text, password: text }),
  dob: fc.record({ date: timestamp, age: fc.nat() }),
  registered: fc.record({ date: timestamp, age: fc.nat() }),
  phone: text,
  id: fc.record({ name: text, value: fc.option(text) }),
  picture: fc.record({ medium: text }),
});

function received({ key, value, headers }: ReturnType<typeof encode>) {
  const entries = headers.flatMap((header) => Object.entries(header));
  return {
    topic: "users",
    partition: 0,
    offset: 0,
    timestampMs: 0,
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: Object.fromEntries(entries.map(([name, text]) => [name, Buffer.from(text)])),
  };
}

/** The user above with another value at a path; `undefined` leaves the field out. */
function changed(path: string, value: unknown): unknown {
  const set = (object: object, [name = "", ...rest]: string[]): object => {
    if (rest.length === 0 && value === undefined) {
      return Object.fromEntries(Object.entries(object).filter(([each]) => each !== name));
    }
    const child = Object.entries(object).find(([each]) => each === name)?.[1] ?? {};
    return { ...object, [name]: rest.length === 0 ? value : set(child, rest) };
  };
  return set(fromApi, path.split("."));
}

function addressOf(input: unknown): string {
  const judged = parseApiUser(input);
  return "user" in judged ? judged.user.address : judged.rejection.reason;
}

function rejectionOf(input: unknown) {
  const judged = parseApiUser(input);
  if ("user" in judged) throw new Error("was accepted");
  return judged.rejection;
}

describe("a user read as it is written", () => {
  const users = fc.record({
    id: fc.uuid(),
    ...Object.fromEntries(
      ["first_name", "last_name", "gender", "address", "email", "username"].map((name) => [
        name,
        fc.string({ unit: "grapheme" }),
      ]),
    ),
    ...{
      dob: fc.constantFrom("1990-01-01", "2024-02-29", "2023-02-29", "1990-1-01", "0000-12-31"),
    },
    ...{ registered_date: fc.constantFrom("2020-01-01", "2020-04-31", "2020-13-01") },
    ...{ phone: fc.string(), picture: fc.string({ unit: "binary" }) },
  });

  test("is what the schema makes of it, or is left to the schema", () => {
    const noise = fc.record({
      at: fc.nat(600),
      put: fc.constantFrom("", '"', "\\", ",", "\n", "{"),
    });
    fc.assert(
      fc.property(users, fc.option(noise), (user, noise) => {
        const json = JSON.stringify(user);
        const put = noise ? json.slice(0, noise.at) + noise.put + json.slice(noise.at) : json;
        // As bytes give it: a noise between two surrogates would part them.
        const text = put.toWellFormed();
        const found = userAsWritten(text);
        if (found) expect(parseUser(JSON.parse(text))).toEqual({ user: found });
      }),
      { numRuns: 2000 },
    );
  });

  test("is nearly every one", () => {
    const json = JSON.stringify({
      ...{ id: "0b8b4d4e-0d43-4b0e-8e84-3f3dc2fd8b0c", first_name: "Ágnes", last_name: "O'Neil" },
      ...{ gender: "female", address: "1 Rue de l’Église, Zürich, Zürich, Switzerland" },
      ...{
        email: "a@example.com",
        username: "u",
        dob: "2024-02-29",
        registered_date: "2020-01-01",
      },
      ...{ phone: "", picture: "https://example.com/1.jpg" },
    });
    expect<object | undefined>(userAsWritten(json)).toEqual(JSON.parse(json));
  });
});
