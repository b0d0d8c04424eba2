import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Protection } from "../../../lib/http/guards.ts";
import { createHealth } from "../../../lib/http/health.ts";
import { type Listening, listen } from "../../../lib/http/listen.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { testApp } from "../../http-app.ts";
import { rawHttp, request } from "../../raw-http.ts";

setDefaultTimeout(120_000);

const token = "correct-horse-battery";
const json = ["Host: localhost", "Content-Type: application/json"];
const open: Listening[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]();
});

/** The service as it listens, without its neighbours. */
function service(http: Protection = { token: "", auth: "on" }) {
  const { app, created } = testApp({ http });
  return { url: opened(app), created };
}

/** The consumer's port. */
function consumer(http: Protection = { token: "", auth: "on" }): string {
  return opened(createHealth({ log, checks: {}, http }));
}

function opened(app: Parameters<typeof listen>[0]): string {
  const server = listen(app, { host: "127.0.0.1", port: 0, setting: "PORT" });
  open.push(server);
  return server.url;
}

describe("every answer", () => {
  test("of both ports has the headers that keep browsers from misusing it", async () => {
    const ports = [service().url, consumer(), service({ token, auth: "on" }).url];
    for (const url of ports) {
      for (const [first, lines] of [
        ["GET /healthz", ["Host: localhost"]],
        ["GET /nothing", ["Host: localhost"]],
        ["GET /healthz", ["Host: evil.example"]],
        ["POST /api/runs", ["Host: localhost", "Origin: http://evil.example"]],
        ["POST /healthz", ["Host: localhost"]],
      ] as const) {
        const { headers, status } = await rawHttp(url, request(first, lines));
        expect(status).toBeGreaterThan(0);
        expect(headers).toMatchObject({
          "cache-control": "no-store",
          "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
          "cross-origin-resource-policy": "same-origin",
          "referrer-policy": "no-referrer",
          "x-content-type-options": "nosniff",
          "x-frame-options": "DENY",
        });
        // For other names behind the same proxy it would be wrong.
        expect(headers).not.toHaveProperty("strict-transport-security");
        expect(headers).not.toHaveProperty("access-control-allow-origin");
        expect(headers).not.toHaveProperty("server");
      }
    }
  });
});

describe("without a token", () => {
  test.each([
    [["Host: evil.example"], 403],
    [["Host: localhost.evil.example"], 403],
    [["Host: evil.example", "X-Forwarded-Host: localhost"], 403],
    [["Host: 192.168.1.5:8080"], 403],
    [["Host: localhost@evil.example"], 400],
    [["Host: localhost#evil.example"], 400],
    [["Host: "], 400],
    [[], 400],
  ])(
    "the host names %j are answered %d: a page may have its own name lead here",
    async (lines, status) => {
      for (const url of [service().url, consumer()]) {
        for (const path of ["/healthz", "/api/schedule"]) {
          expect(await rawHttp(url, request(`GET ${path}`, lines))).toMatchObject({ status });
        }
      }
    },
  );

  test("a request of HTTP/1.0 without a host is no fault of ours", async () => {
    const { status } = await rawHttp(service().url, ["GET /api/schedule HTTP/1.0\r\n\r\n"]);
    expect(status).toBe(400);
  });

  test.each(["localhost", "localhost:8080", "127.0.0.1", "[::1]:8080"])(
    "the host name %s is one of this machine",
    async (host) => {
      const answer = await rawHttp(service().url, request("GET /healthz", [`Host: ${host}`]));
      expect(answer.status).toBe(200);
    },
  );
});

describe("a page of another origin", () => {
  test.each([
    [["Origin: http://evil.example"]],
    [["Origin: null"]],
    [["Origin: http://localhost:3000"]],
    [["Sec-Fetch-Site: cross-site"]],
    // Another port of this machine is of the same site, and another origin.
    [["Sec-Fetch-Site: same-site"]],
    [["Origin: http://localhost", "Sec-Fetch-Site: cross-site"]],
  ])("cannot start a run: %j", async (lines) => {
    for (const auth of ["on", "off"] as const) {
      const { url, created } = service({ token: "", auth });
      const answer = await rawHttp(url, request("POST /api/runs", [...json, ...lines], "{}"));
      expect(answer.status).toBe(403);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(created).toEqual([]);
    }
  });

  test.each([
    [[]],
    [["Origin: http://localhost"]],
    [["Origin: http://localhost", "Sec-Fetch-Site: same-origin"]],
    [["Origin: https://pipeline.example", "Sec-Fetch-Site: same-origin"]],
    [["Sec-Fetch-Site: none"]],
  ])("is not what this is: %j", async (lines) => {
    const { url } = service();
    const answer = await rawHttp(url, request("POST /api/runs", [...json, ...lines], "{}"));
    expect(answer.status).toBe(202);
  });

  test("is told nothing it could read, and asked nothing beforehand", async () => {
    const lines = ["Host: localhost", "Origin: http://evil.example"];
    const asks = ["Access-Control-Request-Method: POST", ...lines];
    const answer = await rawHttp(service().url, request("OPTIONS /api/runs", asks));
    expect(answer.status).toBe(405);
    expect(Object.keys(answer.headers).join()).not.toContain("access-control");
  });
});

describe("where a token is needed", () => {
  const paths = [
    ...["/api/runs", "/api/schedule", "/nothing", "/metrics", "//healthz", "/healthz/", "//"],
    ...[
      "/api/events",
      "/docs",
      "/openapi.json",
      "/api/session/",
      "/api/session/../runs",
      "/assets",
    ],
    ...[
      "/assets/../api/runs",
      "/assets/%2e%2e/api/runs",
      "/assets/x/y",
      "/assets//",
      "/index.html",
    ],
    ...["/healthz/../api/schedule", "/healthz/%2e%2e/api/schedule", "/healthz%2f..%2fapi"],
    ...["/HEALTHZ", "/healthz;x", "/api/../api/schedule", `/api/runs?token=${token}`],
    ...[`/api/runs?access_token=${token}`, `/api/runs?api_token=${token}`],
  ];
  test.each(paths)("%s is for its holders alone, on both ports", async (path) => {
    for (const url of [service({ token, auth: "on" }).url, consumer({ token, auth: "off" })]) {
      for (const method of ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"]) {
        const answer = await rawHttp(url, request(`${method} ${path}`, ["Host: any.example"]));
        expect([path, method, answer.status]).toEqual([path, method, 401]);
        expect(answer.headers["www-authenticate"]).toBe("Bearer");
        expect(answer.body).not.toContain(token);
      }
    }
  });

  test("the dashboard's files are open to read, on the service's port alone", async () => {
    for (const path of ["/", "/assets/nothing.js"]) {
      const page = service({ token, auth: "on" }).url;
      const read = await rawHttp(page, request(`GET ${path}`, ["Host: any.example"]));
      expect(read.status).toBe(path === "/" ? 200 : 404);
      expect(read.body).not.toContain(token);
      for (const method of ["POST", "DELETE", "OPTIONS"]) {
        const answer = await rawHttp(page, request(`${method} ${path}`, ["Host: any.example"]));
        expect([path, method, answer.status]).toEqual([path, method, 401]);
      }
      const port = consumer({ token, auth: "on" });
      const other = await rawHttp(port, request(`GET ${path}`, ["Host: any.example"]));
      expect(other.status).toBe(401);
    }
  });

  test("a form or a cookie is no way to give it", async () => {
    const { url } = service({ token, auth: "on" });
    const lines = [...json, `Cookie: token=${token}`, `X-Api-Key: ${token}`];
    expect((await rawHttp(url, request("GET /api/runs", lines))).status).toBe(401);
  });

  test("the body of a stranger is not read", async () => {
    const { url } = service({ token, auth: "on" });
    // No more of it ever comes: an answer means that nobody waits for it.
    const parts = [`POST /api/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{`];
    expect((await rawHttp(url, parts)).status).toBe(401);
  });

  test("its holder is let in, the checks are open", async () => {
    for (const [url, path] of [
      [service({ token, auth: "on" }).url, "/api/schedule"],
      [consumer({ token, auth: "on" }), "/healthz"],
    ] as const) {
      const lines = ["Host: any.example", `Authorization: Bearer ${token}`];
      expect((await rawHttp(url, request(`GET ${path}`, lines))).status).toBe(200);
      const check = await rawHttp(url, request("GET /readyz", ["Host: any.example"]));
      expect(check.status).toBe(200);
    }
  });
});

describe("methods", () => {
  test("HEAD is GET without the body", async () => {
    const answer = await rawHttp(service().url, request("HEAD /api/schedule", ["Host: localhost"]));
    expect(answer).toMatchObject({ status: 200, body: "" });
  });

  test.each(["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"])(
    "%s is refused where no route takes it, and nothing of the request comes back",
    async (method) => {
      const lines = ["Host: localhost", "X-Secret: echo-me"];
      const answer = await rawHttp(service().url, request(`${method} /api/runs`, lines));
      expect(answer.status).toBe(405);
      expect(answer.headers.allow?.split(", ").sort()).toEqual(["GET", "HEAD", "POST"]);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(JSON.stringify(answer)).not.toContain("echo-me");
    },
  );
});

describe("paths", () => {
  test.each([
    "/../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "/api/runs/..%5c..%5cpackage.json",
    "/package.json",
    "/.env",
    "/api/runs%0d%0aX-Injected:%201",
    "/api/runs/1%00",
  ])("%s leads nowhere, and into no header", async (path) => {
    const answer = await rawHttp(service().url, request(`GET ${path}`, ["Host: localhost"]));
    expect(answer.status).toBe(404);
    expect(answer.headers).not.toHaveProperty("x-injected");
    expect(answer.body).toMatch(/^[\x20-\x7e]*$/);
  });
});

describe("bodies", () => {
  const post = (body: string) => request("POST /api/runs", json, body);

  test.each([
    ["an array, deeper than any stack", "[".repeat(60_000)],
    ["the same, closed", `${"[".repeat(30_000)}${"]".repeat(30_000)}`],
    ["a field that is deep", `{"seed":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}}`],
    ["a number beyond all numbers", '{"results":1e999}'],
    ["many digits", `{"results":${"9".repeat(60_000)}}`],
    ["a number between two", '{"results":9007199254740993}'],
    ["__proto__", '{"__proto__":{"results":5}}'],
    ["constructor", '{"constructor":{"prototype":{"results":5}}}'],
    ["a wrong one of two", '{"results":5,"results":"x"}'],
    ["a byte that is no UTF-8", '{"seed":"\xff"}'],
    ["a NUL", '{"seed":"a\\u0000b"}'],
    ["half a pair", '{"seed":"\\ud800"}'],
    ["a command", '{"seed":"$(reboot)\\n"}'],
  ])("%s is refused with the field's path", async (_, body) => {
    const { url, created } = service();
    const answer = await rawHttp(url, post(body));
    expect(answer.status).toBe(422);
    expect(JSON.parse(answer.body).errors[0]).toHaveProperty("path");
    expect(answer.body.length).toBeLessThan(2000);
    expect(created).toEqual([]);
    expect(({} as { results?: unknown }).results).toBeUndefined();
  });

  test("of two values of one name the last one counts, and is judged like any", async () => {
    const { url, created } = service();
    expect((await rawHttp(url, post('{"results":0,"results":7}'))).status).toBe(202);
    expect(created).toMatchObject([{ results: 7 }]);
  });

  test("of more than 64 KiB are refused: told, untold, and endless", async () => {
    const { url, created } = service();
    const large = JSON.stringify({ seed: "x".repeat(65_536) });
    expect((await rawHttp(url, post(large))).status).toBe(413);
    const head = ["POST /api/runs HTTP/1.1", ...json, "Transfer-Encoding: chunked", "", ""];
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    async function* endless() {
      yield head.join("\r\n");
      for (;;) yield chunk;
    }
    expect((await rawHttp(url, endless())).status).toBe(413);
    const told = [
      `POST /api/runs HTTP/1.1\r\n${json.join("\r\n")}\r\nContent-Length: 99999\r\n\r\n`,
    ];
    expect((await rawHttp(url, told)).status).toBe(413);
    expect(created).toEqual([]);
  });

  test("that do not come within 10 s are not waited for, and nobody else waits", async () => {
    const { url, created } = service();
    const head = ["POST /api/runs HTTP/1.1", ...json, "Content-Length: 100", "", "{"].join("\r\n");
    const slow = Promise.all(Array.from({ length: 50 }, () => rawHttp(url, [head])));
    const quick = await rawHttp(url, post("{}"));
    expect(quick.status).toBe(202);
    for (const answer of await slow) expect(answer.status).toBe(408);
    expect(created).toHaveLength(1);
  });

  test.each([
    ["two lengths", ["Content-Length: 2", "Content-Length: 3"], "{} "],
    ["a length below zero", ["Content-Length: -2"], "{}"],
    ["a length and chunks", ["Content-Length: 2", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
  ])(
    "with %s are refused: whoever stands in front may read them otherwise",
    async (_, lines, body) => {
      const { url, created } = service();
      const all = ["POST /api/runs HTTP/1.1", ...json, ...lines, "", body];
      expect((await rawHttp(url, [all.join("\r\n")])).status).toBe(400);
      expect(created).toEqual([]);
    },
  );
});

test("a head that never ends is not waited for", async () => {
  const { url } = service();
  const answer = await rawHttp(url, ["GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "]);
  // Bun closes what is idle for `idleTimeout`.
  expect(answer.status).toBe(0);
});

test("a head of more than 16 KiB is refused", async () => {
  const lines = ["Host: localhost", `X-Large: ${"x".repeat(100_000)}`];
  expect((await rawHttp(service().url, request("GET /healthz", lines))).status).toBe(431);
});
