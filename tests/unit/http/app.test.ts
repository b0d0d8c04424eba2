import { describe, expect, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import type { AppDeps } from "../../../lib/http/app.ts";
import { type Log, silentLog } from "../../../lib/log.ts";
import { json, testApp } from "../../http-app.ts";

const token = "correct-horse-battery";

function app(over: Partial<AppDeps> = {}) {
  const it = testApp(over);
  const post = (body: string, headers: Record<string, string> = json) =>
    it.request("/api/runs", { method: "POST", body, headers });
  return { ...it, post };
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

  test("belongs to the trace of its request", async () => {
    const { post, created } = app();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const answer = await post("{}", { ...json, traceparent, tracestate: "a=1 ,b=2" });
    expect(await answer.json()).toMatchObject({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736" });
    expect(created.map(({ trace }) => trace)).toEqual([{ traceparent, tracestate: "a=1,b=2" }]);
  });

  test("is taken with a traceparent that is none, as if there were none", async () => {
    const { post, created } = app();
    for (const traceparent of ["", "00-0-0-01", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`]) {
      const answer = await post("{}", { ...json, traceparent, tracestate: "a=1" });
      expect(answer.status).toBe(202);
    }
    expect(created.map((request) => "trace" in request)).toEqual([false, false, false]);
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

  test("makes one run of one key, however often it is asked for", async () => {
    const { send, created } = app();
    const key = { "idempotency-key": "order-17" };
    await send("POST", "/api/runs", { results: 10 }, key);
    await send("POST", "/api/runs", { results: 10 }, key);
    await send("POST", "/api/runs", { results: 10 }, { "idempotency-key": "order-18" });
    await send("POST", "/api/runs", { results: 10 });
    const [first, again, other, none] = created.map(({ requestId }) => requestId);
    expect(first).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(again).toBe(first as string);
    expect(other).not.toBe(first as string);
    expect(none).toBeUndefined();
  });

  test("refuses a key that was used for another run", async () => {
    const { send } = app();
    const ask = (body: object) => send("POST", "/api/runs", body, { "idempotency-key": "17" });
    const made = await (await ask({ results: 10, seed: "mine" })).json();
    expect(await (await ask({ seed: "mine", results: 10 })).json()).toEqual(made);
    for (const other of [
      { results: 11, seed: "mine" },
      { results: 10 },
      { results: 10, seed: "x" },
    ]) {
      const answer = await ask(other);
      expect(answer.status).toBe(422);
      expect(await answer.json()).toMatchObject({ title: "The idempotency key was used before" });
    }
    expect((await ask({ results: 10, seed: "mine", nat: ["us"] })).status).toBe(422);
  });

  test.each(["", " ", "x".repeat(256), "a b", "é"])("refuses the key %j", async (key) => {
    const { send, created } = app();
    const answer = await send("POST", "/api/runs", {}, { "idempotency-key": key });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ path: "idempotency-key" }] });
    expect(created).toEqual([]);
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
  test("lists the newest first, page by page, each with the cursor of the next", async () => {
    const { request, post } = app();
    for (let n = 0; n < 5; n++) await post("{}");
    const page = async (query: string) => {
      const body = (await (await request(`/api/runs${query}`)).json()) as {
        runs: { id: number }[];
        next: string | null;
      };
      return { ids: body.runs.map(({ id }) => id), next: body.next };
    };
    expect(await page("")).toEqual({ ids: [5, 4, 3, 2, 1], next: null });
    expect(await page("?limit=2")).toEqual({ ids: [5, 4], next: "4" });
    expect(await page("?limit=2&cursor=4")).toEqual({ ids: [3, 2], next: "2" });
    expect(await page("?limit=2&cursor=2")).toEqual({ ids: [1], next: null });
    expect(await page("?limit=1&cursor=2")).toEqual({ ids: [1], next: null });
  });

  test("hands on what is asked for", async () => {
    const { request, asked } = app();
    await request("/api/runs");
    await request("/api/runs?state=failed,queued&trigger=backfill&from=2026-01-01T00:00:00Z");
    await request("/api/runs?to=2026-01-01T01:00:00%2b01:00");
    const midnight = new Date("2026-01-01T00:00:00Z");
    expect(asked).toEqual([
      { limit: 26 },
      { limit: 26, states: ["failed", "queued"], triggers: ["backfill"], from: midnight },
      { limit: 26, to: midnight },
    ]);
  });

  test.each([
    ...["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2"],
    ...["cursor=x", "cursor=1e3", "state=", "state=done", "state=failed,", "trigger=me"],
    ...["from=now", "from=2026-02-31T00:00:00Z", "from=0000-01-01T00:00:00Z", "to=2026-01-01"],
    "before=7",
  ])("refuses ?%s", async (query) => {
    const answer = await app().request(`/api/runs?${query}`);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ path: query.split("=")[0] }] });
  });
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

const failingSchedule = (error: Error) => {
  const fail = () => Promise.reject(error);
  return { get: fail, change: fail, next: fail };
};

describe("a failure", () => {
  const failing = (error: Error, log: Log = silentLog) =>
    app({ schedule: failingSchedule(error), log }).request("/api/schedule");

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
