import { nationalities } from "../../domain/nationalities.ts";
import { type Nation, nationOf } from "./nations.ts";
import { createRandom, type Random } from "./random.ts";
import { timezones, words } from "./words.ts";

export interface UsersRequest {
  readonly seed: string;
  readonly page: number;
  readonly results: number;
  /** Codes in upper case; all of them when there is none. */
  readonly nat: readonly string[];
  readonly gender?: "male" | "female";
  /** Decides the ages, and nothing else. */
  readonly now: Date;
}

export type FakeUser = ReturnType<typeof createUser>;

/** All nationalities, in the order in which a seed of 18 characters numbers them. */
export const allNations = nationalities.map((code) => code.toUpperCase());

/** A page of users as version 1.4 of the API sends them. The same request gives the same users. */
export function createUsers({ seed, page, results, nat, gender, now }: UsersRequest): FakeUser[] {
  const random = createRandom(streamOf(seed, page));
  const nations = (nat.length > 0 ? nat : allNations)
    .map(nationOf)
    .filter((one) => one !== undefined);
  return Array.from({ length: results }, () => {
    const nation = random.pick(nations);
    const drawn = random.pick(["male", "female"] as const);
    return createUser(random, nation, gender ?? drawn, now);
  });
}

/**
 * Seed and page together without a sign between them, page 1 not at all, and of 18 characters only
 * the first 16: as the API does it.
 */
function streamOf(seed: string, page: number): string {
  const used = seed.length === 18 ? seed.slice(0, 16) : seed;
  return page === 1 ? used : used + page;
}

function createUser(random: Random, nation: Nation, gender: "male" | "female", now: Date) {
  const { pools } = nation;
  const first = random.pick(pools[gender]);
  const last = random.pick(pools.last);
  const dob = new Date(random.between(oldest, youngest));
  const registered = new Date(random.between(firstDay, lastDay));
  return {
    gender,
    name: {
      title: random.pick((nation.titles ?? titles)[gender]),
      first: first.text,
      last: last.text,
    },
    location: {
      street: { number: random.between(1, 9999), name: random.pick(pools.streets) },
      city: random.pick(pools.cities),
      state: random.pick(pools.states),
      country: nation.country,
      postcode: nation.postcode?.(random) ?? random.between(10_000, 99_999),
      coordinates: { latitude: degrees(random, 90), longitude: degrees(random, 180) },
      timezone: random.pick(timezones),
    },
    email: `${first.ascii}.${last.ascii}@example.com`,
    login: login(random),
    dob: { date: dob.toISOString(), age: years(dob, now) },
    registered: { date: registered.toISOString(), age: years(registered, now) },
    phone: random.fill(random.pick(nation.phone)),
    cell: random.fill(random.pick(nation.cell)),
    id: {
      name: nation.id.name,
      value: nation.id.value && random.fill(nation.id.value.replace("DDMMYY", ddmmyy(dob))),
    },
    picture: picture(random, gender),
    nat: nation.code,
  };
}

const titles = { male: ["Mr"], female: ["Miss", "Ms", "Mrs"] };
/**
 * The bounds of the API's own dates: born 1944 to 2001, registered 2002 to the day 1.4 came out.
 */
const oldest = -800_000_000_000;
const firstDay = 1_016_688_461_000;
const lastDay = 1_653_344_189_000;
const youngest = lastDay - 21 * 365 * 86_400_000;

function login(random: Random) {
  const { describers, animals, passwords } = words();
  const password = random.pick(passwords);
  const salt = random.word(8);
  const hash = (name: "md5" | "sha1" | "sha256") =>
    new Bun.CryptoHasher(name).update(password + salt).digest("hex");
  return {
    uuid: uuid(random),
    username: random.pick(describers) + random.pick(animals) + random.between(100, 999),
    password,
    salt,
    md5: hash("md5"),
    sha1: hash("sha1"),
    sha256: hash("sha256"),
  };
}

/** A version 4 UUID, as random as its seed. */
function uuid(random: Random): string {
  const hex = () => random.next().toString(16).padStart(8, "0");
  const [a, b, c, d] = [hex(), hex(), hex(), hex()];
  const variant = "89ab"[random.below(4)];
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-${variant}${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

/** Numbers written as text, with four digits after the point. */
function degrees(random: Random, most: number): string {
  return (random.between(-most * 10_000, most * 10_000) / 10_000).toFixed(4);
}

function picture(random: Random, gender: "male" | "female") {
  const [folder, count] = gender === "male" ? ["men", 100] : ["women", 97];
  const file = `${folder}/${random.below(Number(count))}.jpg`;
  const portraits = "https://randomuser.me/api/portraits";
  return {
    large: `${portraits}/${file}`,
    medium: `${portraits}/med/${file}`,
    thumbnail: `${portraits}/thumb/${file}`,
  };
}

function years(from: Date, to: Date): number {
  const passed = to.getUTCFullYear() - from.getUTCFullYear();
  return monthAndDay(to) < monthAndDay(from) ? passed - 1 : passed;
}

function monthAndDay(date: Date): string {
  return date.toISOString().slice(5);
}

function ddmmyy(date: Date): string {
  const iso = date.toISOString();
  return iso.slice(8, 10) + iso.slice(5, 7) + iso.slice(2, 4);
}
