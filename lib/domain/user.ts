import * as v from "valibot";

/**
 * One user: the value of the record on the topic and the row in the table. Every field is required.
 */
export type User = v.InferOutput<typeof User>;

/**
 * Why something is not a user: `path` is where it fails, `reason` names the value and what was
 * expected.
 */
export interface Rejection {
  readonly path: string;
  readonly reason: string;
}

export type Judged<T> = { readonly user: T } | { readonly rejection: Rejection };

/** Judges one entry of the API's `results`, and turns it into our user. Never throws. */
export function parseApiUser(input: unknown): Judged<User> {
  const user = plainApiUser(input);
  if (user !== undefined) return { user };
  const parsed = v.safeParse(ApiUser, input, { abortEarly: true });
  return parsed.success ? { user: toUser(parsed.output) } : { rejection: why(parsed.issues[0]) };
}

/** Judges a value that claims to be our user already: a record from the topic. Never throws. */
export function parseUser(input: unknown): Judged<User> {
  const user = plainUser(input);
  if (user !== undefined) return { user };
  const parsed = v.safeParse(User, input, { abortEarly: true });
  return parsed.success ? { user: parsed.output } : { rejection: why(parsed.issues[0]) };
}

/** Text that survives UTF-8: a lone surrogate would silently come back as another character. */
const text = v.pipe(
  v.string("text"),
  v.check((value) => value.isWellFormed(), "well-formed Unicode text"),
);

/** UUIDs are values, not spellings: in lower case one user has one key and one row. */
const uuid = v.pipe(v.string("a UUID"), v.uuid("a UUID"), v.toLowerCase());

/** A day that exists, as ISO 8601 with a four-digit year. */
const day = v.pipe(
  v.string("a date such as 1990-01-01"),
  v.isoDate("a date such as 1990-01-01"),
  v.check(isDay, "a date such as 1990-01-01"),
);

export const User = v.object(
  {
    id: uuid,
    first_name: text,
    last_name: text,
    gender: text,
    address: text,
    email: text,
    username: text,
    dob: day,
    registered_date: day,
    phone: text,
    picture: text,
  },
  "an object",
);

const instant = v.object(
  {
    date: v.pipe(
      v.string("a timestamp such as 1990-01-01T12:00:00.000Z"),
      v.check(isInstant, "a timestamp such as 1990-01-01T12:00:00.000Z"),
    ),
  },
  "an object",
);

/**
 * A user as the API sends it, as far as we use it: what we do not use may change without a user
 * being refused. `street` was a text before version 1.3 of the API.
 */
export const ApiUser = v.object(
  {
    gender: text,
    name: v.object({ first: text, last: text }, "an object"),
    location: v.object(
      {
        street: v.union(
          [text, v.object({ number: v.union([v.number(), text]), name: text })],
          "a street with number and name",
        ),
        city: text,
        state: text,
        country: text,
      },
      "an object",
    ),
    email: text,
    login: v.object({ uuid, username: text }, "an object"),
    dob: instant,
    registered: instant,
    phone: text,
    picture: v.object({ medium: text }, "an object"),
  },
  "an object",
);

function toUser(from: v.InferOutput<typeof ApiUser>): User {
  return {
    id: from.login.uuid,
    first_name: from.name.first,
    last_name: from.name.last,
    gender: from.gender,
    address: address(from.location),
    email: from.email,
    username: from.login.username,
    dob: utcDay(from.dob.date),
    registered_date: utcDay(from.registered.date),
    phone: from.phone,
    picture: from.picture.medium,
  };
}

/** "123 Main St, City, State, Country". The API's street names may end in a space. */
function address({ street, city, state, country }: v.InferOutput<typeof ApiUser>["location"]) {
  const line =
    typeof street === "string"
      ? street.trim()
      : `${String(street.number).trim()} ${street.name.trim()}`;
  return `${line}, ${city.trim()}, ${state.trim()}, ${country.trim()}`;
}

function utcDay(timestamp: string): string {
  return new Date(timestamp).toISOString().slice(0, 10);
}

function isInstant(timestamp: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(timestamp))
    return false;
  const time = Date.parse(timestamp);
  const lands = !Number.isNaN(time) && /^\d{4}-/.test(new Date(time).toISOString());
  return lands && isDay(timestamp.slice(0, 10));
}

function isDay(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const year = Number(value.slice(0, 4));
  const month = Number(value.slice(5, 7));
  const day = Number(value.slice(8));
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const last = month === 2 ? (leap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  return month >= 1 && month <= 12 && day >= 1 && day <= last;
}

function why(issue: v.BaseIssue<unknown>): Rejection {
  const path = v.getDotPath(issue) ?? "";
  // A missing field is told by the object around it.
  if (issue.kind === "schema" && issue.type === "object" && issue.input === undefined && path) {
    return { path, reason: `${path}: is missing` };
  }
  return { path, reason: `${path || "value"}: ${shown(issue.input)} is not ${issue.message}` };
}

/**
 * A value as it may stand in a message: short, on one line, and well-formed even where it is cut.
 */
export function shown(value: unknown): string {
  const json = typeof value === "object" && value !== null ? kindOf(value) : JSON.stringify(value);
  const line = json ?? "nothing";
  return line.length > 80 ? `${line.slice(0, 80).toWellFormed()}…` : line;
}

function kindOf(value: object): string {
  return Array.isArray(value) ? "a list" : "an object";
}

/*
 * What nearly every record is: a user whose fields are all spelled the usual way. It is judged here,
 * in a tenth of the time that the schema takes (0.7 of 7 µs for a record, measured). Whatever else
 * comes is judged by the schema, which says why it is no user.
 */

function plainUser(input: unknown): User | undefined {
  const given = fieldsOf(input);
  const { id, first_name, last_name, gender, address, email, username, phone, picture } = given;
  const { dob, registered_date } = given;
  const texts = isText(first_name) && isText(last_name) && isText(gender) && isText(address);
  if (!texts || !isText(email) || !isText(username) || !isText(phone) || !isText(picture)) return;
  if (!isText(id) || !plainUuid.test(id)) return;
  if (!isText(dob) || !isText(registered_date) || !isDay(dob) || !isDay(registered_date)) return;
  return {
    id,
    first_name,
    last_name,
    gender,
    address,
    email,
    username,
    dob,
    registered_date,
    phone,
    picture,
  };
}

function plainApiUser(input: unknown): User | undefined {
  const { gender, name, location, email, login, dob, registered, phone, picture } = fieldsOf(input);
  const { first, last } = fieldsOf(name);
  const { street, city, state, country } = fieldsOf(location);
  const { number, name: road } = fieldsOf(street);
  if (typeof number !== "number" || Number.isNaN(number) || !isText(road)) return;
  if (!isText(city) || !isText(state) || !isText(country)) return;
  const { uuid: id, username } = fieldsOf(login);
  return plainUser({
    id,
    first_name: first,
    last_name: last,
    gender,
    address: address({ street: { number, name: road }, city, state, country }),
    email,
    username,
    dob: plainDay(fieldsOf(dob).date),
    registered_date: plainDay(fieldsOf(registered).date),
    phone,
    picture: fieldsOf(picture).medium,
  });
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.isWellFormed();
}

const plainUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The day of a timestamp in UTC, as the API writes it: no other day is meant by it. */
function plainDay(timestamp: unknown): string | undefined {
  const plain = isText(timestamp) && plainInstant.test(timestamp);
  return plain ? timestamp.slice(0, 10) : undefined;
}

const plainInstant = /^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/**
 * Our user from JSON, if that is written as `JSON.stringify` does it from well-formed text: all
 * fields in their order, and no text that needs an escape. Undefined for anything else, which may
 * be a user all the same.
 */
export function userAsWritten(json: string): User | undefined {
  const found = asWritten.exec(json);
  if (found === null) return undefined;
  const { 1: id = "", 2: first_name = "", 3: last_name = "", 4: gender = "" } = found;
  const { 5: address = "" } = found;
  const { 6: email = "", 7: username = "", 8: dob = "", 9: registered_date = "" } = found;
  const { 10: phone = "", 11: picture = "" } = found;
  if (!isDay(dob) || !isDay(registered_date)) return undefined;
  return {
    id,
    first_name,
    last_name,
    gender,
    address,
    email,
    username,
    dob,
    registered_date,
    phone,
    picture,
  };
}

const asWritten = new RegExp(
  `^\\{${Object.keys(User.entries)
    .map((name) => `"${name}":"(${writtenAs(name)})"`)
    .join(",")}\\}$`,
);

function writtenAs(name: string): string {
  if (name === "id") return plainUuid.source.slice(1, -1);
  if (name === "dob" || name === "registered_date") return "\\d{4}-\\d{2}-\\d{2}";
  // Neither a quote nor a backslash, nor what JSON must escape.
  return '[^"\\\\\\x00-\\x1f]*';
}
