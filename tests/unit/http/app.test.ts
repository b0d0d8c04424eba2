import { describe, expect, test } from "bun:test";
import type { Run, RunRequest } from "../../../lib/domain/run.ts";
import { PipelineError } from "../../../lib/errors.ts";
import { type AppDeps, createApp } from "../../../lib/http/app.ts";
import { type Log, silentLog } from "../../../lib/log.ts";
import { createFakeRuns } from "../../fakes/runs.ts";

const token = "correct-horse-battery";
const json = { "content-type": "application/json" };

function app(over: Partial<AppDeps> = {}) {
  const fake = createFakeRuns();
  const created: RunRequest[] = [];
  const asked: unknown[] = [];
  const runs = {
    ...fake,
    create: (request: RunRequest) => {
      created.push(request);
      return fake.create(request);
    },
    list: async (options: { limit: number; before?: number }): Promise<readonly Run[]> => {
      asked.push(options);
      return [];
    },
  };
  const { request } = createApp({
    runs,
    schedule: { get: async () => ({ cron: "0 * * * *", timezone: "UTC", paused: false }) },
    checks: {},
    defaults: { results: 1000, nat: ["gb"] },
    http: { token: "", auth: "on" },
    log: silentLog,
    ...over,
  });
  const post = (body: string, headers: Record<string, string> = json) =>
    request("/api/runs", { method: "POST", body, headers });
  return { request, post, created, asked };
}

describe("POST /api/runs", () => {
  test("queues a run and answers 202 with it and its address", async () => {
    const { post, created, request } = app();
    const answer = await post('{"results": 10, "nat": ["us", "gb"], "seed": "mine"}');
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe("/api/runs/1");
    expect(await answer.json()).toMatchObject({ id: 1, state: "queued", results: 10 });
    expect(created).toEqual([{ trigger: "manual", results: 10, nat: ["us", "gb"], seed: "mine" }]);
    expect(await (await request("/api/runs/1")).json()).toMatchObject({ id: 1, seed: "mine" });
  });

  test.each(["{}", "", "  "])("takes what %j leaves out from the settings", async (body) => {
    const { post, created } = app();
    expect((await post(body)).status).toBe(202);
    expect(created).toEqual([{ trigger: "manual", results: 1000, nat: ["gb"] }]);
  });

  test.each<[string, string, string]>([
    ['{"results": 0}', "results", "0: expected a number of users from 1 to 1000000"],
    ['{"results": 1000001}', "results", "1000001: expected a number of users from 1 to 1000000"],
    ['{"results": 1.5}', "results", "1.5: expected a number of users from 1 to 1000000"],
    ['{"results": "10"}', "results", '"10": expected a number of users from 1 to 1000000'],
    ['{"results": null}', "results", "null: expected a number of users from 1 to 1000000"],
    ['{"nat": "gb"}', "nat", '"gb": expected a list of nationalities'],
    ['{"nat": ["gb", "xx"]}', "nat.1", '"xx": expected one of au,br,ca'],
    ['{"seed": ""}', "seed", '"": expected 1 to 64 printable characters'],
    ['{"seed": "a b"}', "seed", '"a b": expected 1 to 64 printable characters'],
    ['{"seed": "a\\u0000"}', "seed", '"a\\u0000": expected 1 to 64 printable characters'],
    ['{"seed": 5}', "seed", "5: expected a text"],
    ['{"result": 5}', "result", "expected"],
    ['{"__proto__": 5}', "__proto__", "expected"],
    ["not json", "", "expected an object with results, nat, seed and nothing else"],
    ["null", "", "null: expected an object with results, nat, seed and nothing else"],
  ])("refuses %s at %j", async (body, path, message) => {
    const { post, created } = app();
    const answer = await post(body);
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const { errors, ...problem } = (await answer.json()) as {
      errors: { path: string; message: string }[];
    };
    expect(problem).toEqual({ type: "about:blank", status: 422, title: "Not a run" } as object);
    expect(errors.map((error) => error.path)).toContain(path);
    expect(errors.map((error) => error.message).join("\n")).toContain(message);
    expect(created).toEqual([]);
  });

  test("tells all faults at once, and quotes little of them", async () => {
    const seed = "x".repeat(60_000);
    const answer = await app().post(JSON.stringify({ results: -1, nat: ["xx"], seed }));
    const text = await answer.text();
    expect(JSON.parse(text).errors.map(({ path }: { path: string }) => path)).toEqual([
      ...["results", "nat.0", "seed"],
    ]);
    expect(text.length).toBeLessThan(1000);
  });

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "",
  ])(
    "refuses the content type %j, with which a page of another origin could post",
    async (type) => {
      const { post, created } = app();
      const answer = await post("{}", type ? { "content-type": type } : {});
      expect(answer.status).toBe(415);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(created).toEqual([]);
    },
  );

  test("takes a content type with a character set", async () => {
    const headers = { "content-type": "Application/JSON; charset=utf-8" };
    expect((await app().post("{}", headers)).status).toBe(202);
  });

  test("refuses a body of more than 64 KiB, told or not", async () => {
    const { post, request, created } = app();
    const body = JSON.stringify({ seed: "x".repeat(65_536) });
    expect((await post(body)).status).toBe(413);
    const stream = new Blob([body]).stream();
    const untold = await request("/api/runs", { method: "POST", body: stream, headers: json });
    expect(untold.status).toBe(413);
    expect(await untold.json()).toMatchObject({ status: 413 });
    expect(created).toEqual([]);
  });
});

describe("GET /api/runs", () => {
  test("lists the newest 25, or as many as asked for, before a run", async () => {
    const { request, asked } = app();
    expect(await (await request("/api/runs")).json()).toEqual({ runs: [] });
    await request("/api/runs?limit=100&before=7");
    expect(asked).toEqual([{ limit: 25 }, { limit: 100, before: 7 }]);
  });

  test.each(["limit=0", "limit=101", "limit=x", "limit=-1", "before=x", "before=1e3"])(
    "refuses ?%s",
    async (query) => {
      const answer = await app().request(`/api/runs?${query}`);
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({ errors: [{ path: query.split("=")[0] }] });
    },
  );
});

describe("a page that is not there", () => {
  test.each([
    ...["/api/runs/2", "/api/runs/x", "/api/runs/-1", "/api/runs/1.5"],
    ...["/api/runs/99999999999999999999", "/api", "/nothing", "/api/runs/1'); drop table runs"],
  ])("is %s", async (path) => {
    const answer = await app().request(path);
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });
});

describe("a failure", () => {
  const failing = (error: Error, log: Log = silentLog) =>
    app({ schedule: { get: () => Promise.reject(error) }, log }).request("/api/schedule");

  test("that will pass is 503, with the reason", async () => {
    const answer = await failing(new PipelineError("unavailable", "PostgreSQL, read: down"));
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({
      title: "Not ready",
      detail: "PostgreSQL, read: down",
    });
  });

  test("that is a bug is 500: the answer says nothing of it, the log all", async () => {
    const logged: unknown[] = [];
    const log = { ...silentLog, error: (fields: unknown) => void logged.push(fields) } as Log;
    const answer = await failing(new TypeError("secret is undefined"), log);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("secret");
    expect(JSON.stringify(logged)).toContain("secret is undefined");
  });
});

describe("the checks", () => {
  test("say that the service is alive, and whether it can do its work", async () => {
    let down: Error | undefined = new PipelineError("unavailable", "PostgreSQL, ping: down");
    const ping = () => (down ? Promise.reject(down) : Promise.resolve());
    const { request } = app({ checks: { PostgreSQL: ping } });
    expect((await request("/healthz")).status).toBe(200);
    expect((await request("/readyz")).status).toBe(503);
    down = undefined;
    expect((await request("/readyz")).status).toBe(200);
  });
});

describe("a token", () => {
  test.each([
    ["none", {}],
    ["another one", { authorization: "Bearer correct-horse-batterx" }],
    ["its beginning", { authorization: `Bearer ${token.slice(0, -1)}` }],
    ["more than it", { authorization: `Bearer ${token}x` }],
    ["nothing", { authorization: "Bearer " }],
    ["another scheme", { authorization: `Basic ${btoa(`:${token}`)}` }],
    ["the token alone", { authorization: token }],
  ])("that is needed: %s is refused, on every path", async (_, headers: Record<string, string>) => {
    const { request, created } = app({ http: { token, auth: "on" } });
    for (const [method, path] of [
      ["GET", "/api/runs"],
      ["POST", "/api/runs"],
      ["GET", "/api/runs/1"],
      ["GET", "/api/schedule"],
      ["GET", "/nothing"],
      ["GET", "/healthz/../api/schedule"],
      ["GET", "//healthz"],
      ["OPTIONS", "/api/runs"],
    ] as const) {
      const answer = await request(path, { method, headers: { ...headers, ...json } });
      expect(answer.status).toBe(401);
      expect(await answer.text()).not.toContain(token);
    }
    expect(created).toEqual([]);
  });

  test("given is taken, whatever the case of its scheme", async () => {
    const { request } = app({ http: { token, auth: "on" } });
    for (const scheme of ["Bearer", "bearer"]) {
      const headers = { authorization: `${scheme} ${token}` };
      expect((await request("/api/schedule", { headers })).status).toBe(200);
    }
  });

  test("is not needed for the checks", async () => {
    const { request } = app({ http: { token, auth: "on" } });
    expect((await request("/healthz")).status).toBe(200);
    expect((await request("/readyz")).status).toBe(200);
  });
});

test("every answer forbids to be framed and to be taken for another type", async () => {
  const { request } = app();
  for (const path of ["/healthz", "/api/runs", "/nothing"]) {
    const { headers } = await request(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
  }
});
