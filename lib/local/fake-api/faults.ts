import { PipelineError } from "../../errors.ts";
import type { Random } from "./random.ts";
import type { FakeUser } from "./users.ts";

/** A way to misbehave, how much of it, and for how many requests. */
export interface Fault {
  readonly kind: FaultKind;
  /** In the unit of its kind. */
  readonly amount: number;
  readonly times: number;
}

export type FaultKind = `${keyof typeof faultKinds}`;

/** Every way to misbehave: what it does, and its amount when none is given. */
export const faultKinds = {
  429: { amount: 0, about: "too many requests, in JSON" },
  500: { amount: 0, about: "an error of the server, in plain text" },
  html: { amount: 0, about: "status 200 with a page of a proxy" },
  truncated: { amount: 0, about: "status 200 with half of the JSON" },
  short: { amount: 1, about: "AMOUNT users fewer than asked for" },
  duplicates: { amount: 0.1, about: "a share AMOUNT of the users carry another one's id" },
  changed: { amount: 0.1, about: "a share AMOUNT are of 1000 ids that come again, changed" },
  invalid: { amount: 0.1, about: "a share AMOUNT of the users break the schema" },
  slow: { amount: 2000, about: "nothing for AMOUNT milliseconds, then the answer" },
  stall: { amount: 0, about: "half of the answer, then nothing more" },
  hang: { amount: 0, about: "no answer at all" },
  reset: { amount: 0, about: "the connection is closed without an answer" },
  huge: { amount: 0, about: "a body without end" },
} as const;

/**
 * Reads `KIND[=AMOUNT][:TIMES]`, several separated by commas: `500:3,slow=5000` answers the first
 * three requests with 500 and all others after five seconds. Throws a usage error that lists the
 * kinds.
 */
export function parseFaults(text: string): Fault[] {
  return text.split(",").map((part) => {
    const [, kind = "", amount, times] = /^([a-z0-9]+)(?:=([0-9.]+))?(?::(\d+))?$/.exec(part) ?? [];
    if (!isKind(kind) || Number.isNaN(Number(amount ?? 0))) {
      const kinds = Object.keys(faultKinds).join(", ");
      throw new PipelineError("usage", `fault "${part}": expected KIND[=AMOUNT][:TIMES], ${kinds}`);
    }
    return {
      kind,
      amount: amount === undefined ? faultKinds[kind].amount : Number(amount),
      times: times === undefined ? Number.POSITIVE_INFINITY : Number(times),
    };
  });
}

/** The faults of one request after the other: each for its number of times, then the next. */
export function createSchedule(faults: readonly Fault[]): () => Fault | undefined {
  const left = faults.map((fault) => ({ fault, times: fault.times }));
  return () => {
    const turn = left.find((each) => each.times > 0);
    if (turn !== undefined) turn.times--;
    return turn?.fault;
  };
}

/** The users as a fault leaves them; the same random numbers leave them the same. */
export function spoil(users: readonly FakeUser[], fault: Fault, random: Random): unknown[] {
  const hit = () => random.next() / 2 ** 32 < fault.amount;
  switch (fault.kind) {
    case "short":
      return users.slice(0, Math.max(0, users.length - fault.amount));
    case "invalid":
      return users.map((user) => (hit() ? random.pick(spoilers)(user) : user));
    case "changed":
      return users.map((user) => {
        if (!hit()) return user;
        return { ...user, login: { ...user.login, uuid: knownId(random.below(1000)) } };
      });
    case "duplicates":
      return users.map((user, at) => {
        const before = users[at - 1];
        if (before === undefined || !hit()) return user;
        return { ...user, login: { ...user.login, uuid: before.login.uuid } };
      });
    default:
      return [...users];
  }
}

/** One of the ids that come again in other answers. */
function knownId(number: number): string {
  return `c0ffee00-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** Ways for a user to be none. */
export const spoilers: readonly ((user: FakeUser) => unknown)[] = [
  () => null,
  () => "user",
  ({ email: _, ...user }) => user,
  (user) => ({ ...user, name: null }),
  (user) => ({ ...user, name: { ...user.name, first: "\ud83d" } }),
  (user) => ({ ...user, phone: 5551234 }),
  (user) => ({ ...user, dob: { ...user.dob, date: "1990-02-30T12:00:00.000Z" } }),
  (user) => ({ ...user, registered: { age: user.registered.age } }),
  (user) => ({ ...user, login: { ...user.login, uuid: "42" } }),
  (user) => ({ ...user, location: { ...user.location, city: 12 } }),
  (user) => ({ ...user, location: { ...user.location, street: null } }),
  (user) => ({ ...user, picture: { ...user.picture, medium: undefined } }),
];

function isKind(kind: string): kind is FaultKind {
  return Object.hasOwn(faultKinds, kind);
}
