import { describe, expect, test } from "bun:test";
import { type Fault, parseFaults } from "../../../../lib/local/fake-api/faults.ts";
import { createFakeApi, type FakeApi } from "../../../../lib/local/fake-api/handler.ts";

const api = createFakeApi();

interface Answer {
  readonly results: readonly {
    readonly gender: string;
    readonly email: string;
    readonly login: { readonly uuid: string };
    readonly dob: { readonly age: number };
    readonly nat: string;
  }[];
  readonly info: { seed: string; results: number; page: number; version: string };
}

describe("the stand-in of randomuser.me", () => {
  test.each(["/api/", "/api/1.4/", "/api", "/api/1.4"])("answers at %s", async (path) => {
    const response = await get(`${path}?results=2&seed=a-`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const { results, info } = (await response.json()) as Answer;
    expect(results).toHaveLength(2);
    expect(info).toEqual({ seed: "a-", results: 2, page: 1, version: "1.4" });
  });

  test.each(["/", "/api/1.3/", "/api/1.4/users"])(
    "answers 404 in plain text at %s",
    async (path) => {
      const response = await get(path);
      expect(response.status).toBe(404);
      expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
      expect(await response.text()).toBe("Not Found");
    },
  );

  test.each(["5001", "0", "-1", "1.5", "many", ""])(
    "gives one user when asked for %p",
    async (results) => {
      const answer = await users(`results=${results}&seed=a-`);
      expect(answer.results).toHaveLength(1);
      expect(answer.info.results).toBe(1);
    },
  );

  test("gives 5000 users when asked for 5000, each with an id of its own", async () => {
    const { results } = await users("results=5000&seed=a-");
    expect(new Set(results.map((user) => user.login.uuid)).size).toBe(5000);
  });

  test.each(["10001", "-1", "0", "last"])("gives page 1 when asked for page %p", async (page) => {
    const answer = await users(`results=3&seed=a-&page=${page}`);
    expect(answer).toEqual(await users("results=3&seed=a-&page=1"));
  });

  test("gives the same users for the same seed, page and nationalities", async () => {
    const query = "results=20&seed=run-&page=3&nat=gb,ir";
    expect(await users(query)).toEqual(await users(query));
  });

  test.each(["seed=b-&page=1", "seed=a-&page=2", "seed=a-&page=1&nat=us"])(
    "gives other users for %s",
    async (query) => {
      const first = await ids("results=20&seed=a-&page=1");
      expect(await ids(`results=20&${query}`)).not.toEqual(first);
    },
  );

  test("gives the first users of a longer page for a shorter one", async () => {
    const long = await ids("results=20&seed=a-&page=2");
    expect(await ids("results=5&seed=a-&page=2")).toEqual(long.slice(0, 5));
  });

  test("takes seed and page together for one: run1 and 12 are run11 and 2", async () => {
    expect(await ids("seed=run1&page=12")).toEqual(await ids("seed=run11&page=2"));
    expect(await ids("seed=run1&page=2")).toEqual(await ids("seed=run12&page=1"));
  });

  test("takes the end of a seed of 18 characters for a nationality", async () => {
    const { results } = await users("results=20&seed=0123456789abcdef05&nat=us");
    expect(new Set(results.map((user) => user.nat))).toEqual(new Set(["DK"]));
    expect((await get("/api/?seed=0123456789abcdefzz")).status).toBe(500);
  });

  test("ages its users and changes nothing else about them", async () => {
    const at = (day: string) => {
      const api = createFakeApi({ now: () => new Date(day) });
      return users("results=50&seed=a-", api);
    };
    const [before, after] = [await at("2026-06-01"), await at("2036-06-01")];
    expect(after.results.map((user) => user.dob.age)).toEqual(
      before.results.map((user) => user.dob.age + 10),
    );
    expect(after.results.map((user) => user.login)).toEqual(
      before.results.map((user) => user.login),
    );
  });

  test("ignores the gender when a seed is given, and heeds it otherwise", async () => {
    const genders = async (query: string) =>
      new Set((await users(query)).results.map((user) => user.gender)).size;
    expect(await genders("results=50&gender=female&seed=a-")).toBe(2);
    expect(await genders("results=50&gender=female")).toBe(1);
  });

  test("gives other users each time when no seed is given", async () => {
    expect(await ids("results=1")).not.toEqual(await ids("results=1"));
  });

  test("heeds nationalities in any case, and none of them when one is unknown", async () => {
    const nations = async (nat: string) =>
      new Set((await users(`results=200&seed=a-&nat=${nat}`)).results.map((user) => user.nat));
    expect(await nations("gb,IR")).toEqual(new Set(["GB", "IR"]));
    expect((await nations("gb,xx")).size).toBe(21);
  });

  test("refuses in JSON once the limit is reached, and starts again after five minutes", async () => {
    let now = new Date("2026-11-22T12:00:00Z");
    const api = createFakeApi({ limit: 100, now: () => now });
    const status = async (results: number) => (await get(`/api/?results=${results}`, api)).status;
    expect(await status(99)).toBe(200);
    // The API looks at what it has counted before, not at what is asked for now.
    expect(await status(50)).toBe(200);
    const refused = await get("/api/?results=1", api);
    expect(refused.status).toBe(429);
    expect(refused.headers.has("retry-after")).toBe(false);
    expect(await refused.json()).toEqual({ error: expect.stringContaining("149 users") });
    now = new Date("2026-11-22T12:04:59Z");
    expect(await status(1)).toBe(429);
    now = new Date("2026-11-22T12:05:00Z");
    expect(await status(1)).toBe(200);
  });
});

describe("a fault", () => {
  test("hits as many requests as it is given for, then the next one does", async () => {
    const api = createFakeApi({ faults: parseFaults("500:2,html:1") });
    const statuses: string[] = [];
    for (let call = 0; call < 4; call++) {
      const response = await get("/api/?results=1&seed=a-", api);
      statuses.push(`${response.status} ${response.headers.get("content-type")}`);
    }
    expect(statuses).toEqual([
      "500 text/plain; charset=utf-8",
      "500 text/plain; charset=utf-8",
      "200 text/html; charset=utf-8",
      "200 application/json; charset=utf-8",
    ]);
  });

  test("is asked for by query or header, for one request", async () => {
    expect((await get("/api/?fault=500")).status).toBe(500);
    const headers = { "x-fault": "429" };
    expect((await api(new Request("http://localhost/api/", { headers }))).status).toBe(429);
    expect((await get("/api/?results=1")).status).toBe(200);
  });

  test("that nobody knows is answered with the ones there are", async () => {
    const response = await get("/api/?fault=gremlins");
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("truncated");
  });

  test("truncated sends half of the JSON", async () => {
    const whole = await (await get("/api/?results=5&seed=a-")).text();
    const half = await (await get("/api/?results=5&seed=a-&fault=truncated")).text();
    expect(half).toBe(whole.slice(0, Math.floor(whole.length / 2)));
  });

  test("short sends fewer users and says nothing of it", async () => {
    const answer = await users("results=10&seed=a-&fault=short=3");
    expect([answer.results.length, answer.info.results]).toEqual([7, 10]);
  });

  test("duplicates gives different users the same id", async () => {
    const { results } = await users("results=1000&seed=a-&fault=duplicates=0.2");
    const different = new Set(results.map((user) => user.login.uuid)).size;
    expect(results).toHaveLength(1000);
    expect(different).toBeWithin(700, 900);
  });

  test("changed gives known ids again, in other answers and with other users", async () => {
    const known = ({ results }: Answer) =>
      results.filter((user) => user.login.uuid.startsWith("c0ffee00"));
    const first = known(await users("results=2000&seed=a-&fault=changed=0.5"));
    const second = known(await users("results=2000&seed=b-&fault=changed=0.5"));
    expect(first.length).toBeWithin(900, 1100);
    const ids = new Set(first.map((user) => user.login.uuid));
    expect(ids.size).toBeWithin(550, 700);
    const again = second.filter((user) => ids.has(user.login.uuid));
    expect(again.length).toBeGreaterThan(400);
    const names = new Map(first.map((user) => [user.login.uuid, user.email]));
    expect(again.filter((user) => names.get(user.login.uuid) === user.email)).toHaveLength(0);
  });

  test("asks for the fault of each request where it is told to", async () => {
    const faults: (Fault | undefined)[] = [{ kind: "500", amount: 0, times: 1 }, undefined];
    const ill = createFakeApi({ faults: () => faults.shift() });
    expect((await get("/api/1.4/?results=1", ill)).status).toBe(500);
    expect((await get("/api/1.4/?results=1", ill)).status).toBe(200);
  });

  test("invalid spoils the same users each time, and as many as it is told", async () => {
    const sound = await users("results=500&seed=a-");
    const spoilt = await users("results=500&seed=a-&fault=invalid=0.3");
    const texts = sound.results.map((user) => JSON.stringify(user));
    const hit = spoilt.results.filter((user, at) => JSON.stringify(user) !== texts[at]);
    expect(hit.length).toBeWithin(110, 190);
    const again = await users("results=500&seed=a-&fault=invalid=0.3");
    expect(JSON.stringify(again)).toBe(JSON.stringify(spoilt));
  });
});

function get(path: string, from: FakeApi = api): Promise<Response> {
  return from(new Request(`http://localhost${path}`));
}

async function users(query: string, from: FakeApi = api): Promise<Answer> {
  return (await (await get(`/api/1.4/?${query}`, from)).json()) as Answer;
}

async function ids(query: string): Promise<string[]> {
  return (await users(query)).results.map((user) => user.login.uuid);
}
