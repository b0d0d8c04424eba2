import { describe, expect, test } from "bun:test";
import { parseApiUser } from "../../../../lib/domain/user.ts";
import { ascii } from "../../../../lib/local/fake-api/ascii.ts";
import { spoilers } from "../../../../lib/local/fake-api/faults.ts";
import { allNations, createUsers, type FakeUser } from "../../../../lib/local/fake-api/users.ts";

const users = createUsers({
  seed: "shapes-",
  page: 1,
  results: 2000,
  nat: [],
  now: new Date("2026-11-22"),
});
const of = (nat: string) => users.filter((user) => user.nat === nat);

describe("made-up users", () => {
  test("are users, all of them", () => {
    expect(users.flatMap((user) => ("user" in parseApiUser(user) ? [] : [user]))).toEqual([]);
  });

  test("are about as large as the API's, which take 1,081 bytes each", () => {
    const bytes = Buffer.byteLength(JSON.stringify(users)) / users.length;
    expect(bytes).toBeWithin(1040, 1130);
  });

  test("have the fields of version 1.4 in its order, and no others", () => {
    const fields = (value: unknown): unknown =>
      typeof value === "object" && value !== null
        ? Object.entries(value).map(([name, inner]) => [name, fields(inner)])
        : null;
    const layout = [
      ["gender", null],
      ["name", leaves("title first last")],
      [
        "location",
        [
          ["street", leaves("number name")],
          ...leaves("city state country postcode"),
          ["coordinates", leaves("latitude longitude")],
          ["timezone", leaves("offset description")],
        ],
      ],
      ["email", null],
      ["login", leaves("uuid username password salt md5 sha1 sha256")],
      ["dob", leaves("date age")],
      ["registered", leaves("date age")],
      ...leaves("phone cell"),
      ["id", leaves("name value")],
      ["picture", leaves("large medium thumbnail")],
      ["nat", null],
    ];
    for (const user of users) expect(fields(user)).toEqual(layout);
  });

  test("are of all 21 nationalities and both genders", () => {
    expect(allNations).toHaveLength(21);
    expect(new Set(users.map((user) => user.nat))).toEqual(new Set(allNations));
    expect(new Set(users.map((user) => user.gender))).toEqual(new Set(["male", "female"]));
  });

  test("have a postcode that is text in CA, GB, NL and NO and a number elsewhere", () => {
    const kinds = (nat: string) => new Set(of(nat).map((user) => typeof user.location.postcode));
    for (const nat of allNations) {
      const text = ["CA", "GB", "NL", "NO"].includes(nat);
      expect([nat, ...kinds(nat)]).toEqual([nat, text ? "string" : "number"]);
    }
    expect(of("NO").some((user) => String(user.location.postcode).startsWith("0"))).toBe(true);
  });

  test("have an id without name and value in IR, NZ, TR and UA, and a broken one in FI", () => {
    for (const nat of ["IR", "NZ", "TR", "UA"]) {
      for (const user of of(nat)) expect(user.id).toEqual({ name: "", value: null });
    }
    for (const user of of("FI")) expect(user.id.value).toMatch(/^NaNNA\d{3}undefined$/);
    for (const user of of("US")) expect(user.id.value).toMatch(/^\d{3}-\d\d-\d{4}$/);
  });

  test("have letters in their phones in CA and UA, and nowhere else", () => {
    for (const { nat, phone, cell } of users) {
      const letters = /[A-Z]/.test(phone) && /[A-Z]/.test(cell);
      expect([nat, letters]).toEqual([nat, nat === "CA" || nat === "UA"]);
    }
  });

  test("carry the day of birth in the ids of DK, DE and NO", () => {
    for (const user of [...of("DK"), ...of("DE"), ...of("NO")]) {
      const [year, month, day] = user.dob.date.slice(2, 10).split("-");
      expect(user.id.value).toContain(`${day}${month}${year}`);
    }
  });

  test.each([
    ["IR", /^[\p{Script=Arabic}\p{M}\s\u200c]+$/u],
    ["UA", /^[\p{Script=Cyrillic}\p{M}'’\-\s]+$/u],
    ["RS", /^[\p{Script=Latin}\s-]+$/u],
  ])("are written in the script of %s", (nat, script) => {
    for (const { name } of of(nat)) expect(`${name.first} ${name.last}`).toMatch(script);
  });

  test("have accents in some names, and none in e-mail addresses", () => {
    const accents = (user: FakeUser) => /\p{M}/u.test(user.name.first.normalize("NFD"));
    for (const nat of ["BR", "CA", "ES", "FR"]) expect(of(nat).some(accents)).toBe(true);
    for (const user of users) expect(user.email).toMatch(/^[a-z'-]+\.[a-z.'-]+@example\.com$/);
  });

  test("have streets that end in a space, in Brazil", () => {
    const spaced = of("BR").filter((user) => user.location.street.name.endsWith(" "));
    expect(spaced.length).toBeWithin(1, of("BR").length);
  });

  test("are called Monsieur, Madame and Mademoiselle in Switzerland", () => {
    expect(new Set(of("CH").map((user) => user.name.title))).toEqual(
      new Set(["Monsieur", "Madame", "Mademoiselle"]),
    );
    expect(new Set(of("FR").map((user) => user.name.title))).toEqual(
      new Set(["Mr", "Miss", "Ms", "Mrs"]),
    );
  });

  test("have empty passwords now and then, and hashes of password and salt", () => {
    expect(users.some((user) => user.login.password === "")).toBe(true);
    for (const { login } of users.slice(0, 50)) {
      const hash = new Bun.CryptoHasher("sha256").update(login.password + login.salt);
      expect(login.sha256).toBe(hash.digest("hex"));
    }
  });

  test("live at coordinates that are text, in time zones with half hours", () => {
    for (const { location } of users) {
      expect(location.coordinates.latitude).toMatch(/^-?\d{1,2}\.\d{4}$/);
      expect(location.coordinates.longitude).toMatch(/^-?\d{1,3}\.\d{4}$/);
    }
    expect(users.some((user) => user.location.timezone.offset === "-3:30")).toBe(true);
  });

  test("have ids that are UUIDs of version 4", () => {
    const version4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    for (const { login } of users) expect(login.uuid).toMatch(version4);
  });

  test("share no id over many pages", () => {
    const pages = Array.from({ length: 20 }, (_, at) => at + 1);
    const ids = pages.flatMap((page) =>
      createUsers({ seed: "many-", page, results: 250, nat: ["GB"], now: new Date() }).map(
        (user) => user.login.uuid,
      ),
    );
    expect(new Set(ids).size).toBe(5000);
  });
});

test.each(spoilers.map((spoiler, at) => [at, spoiler] as const))(
  "a user spoilt in way %p is none",
  (_, spoiler) => {
    for (const user of users.slice(0, 30)) {
      const sent: unknown = JSON.parse(JSON.stringify(spoiler(user)));
      expect(parseApiUser(sent)).toHaveProperty("rejection");
    }
  },
);

test.each([
  ["Jürgen Groß", "jurgengross"],
  ["Øystein Sørensen", "oysteinsorensen"],
  ["Đorđe", "dorde"],
  ["Ayşe Yıldız", "ayseyildiz"],
  ["O'Connell-Hane", "o'connell-hane"],
  ["Городоцький", "horodotskyy"],
  ["Їжакевич", "izhakevych"],
  ["بنیامین یاسمی", "bnymynysmy"],
  ["نكو نظر", "nkwnzr"],
])("%s is %s in an e-mail address", (name, plain) => {
  expect(ascii(name)).toBe(plain);
});

function leaves(names: string): [string, null][] {
  return names.split(" ").map((name) => [name, null]);
}
