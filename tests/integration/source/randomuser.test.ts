import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import { createRateLimit, noLimit } from "../../../lib/flow/rate-limit.ts";
import type { PageRequest } from "../../../lib/flow/source-to-raw.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { silentLog } from "../../../lib/log.ts";
import { openSource, type SourceCall, type SourceDeps } from "../../../lib/source/randomuser.ts";
import { failureOf } from "../../failure.ts";
import { createFakeBookings } from "../../fakes/bookings.ts";
import { refusedPort } from "../../proxy.ts";
import { never } from "../../users.ts";

setDefaultTimeout(60_000);

let api: FakeApiServer;
beforeAll(() => {
  api = startFakeApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const ten: PageRequest = { seed: "run-", page: 1, results: 10, nat: [] };

describe("a page", () => {
  test("comes as the text received and as its users", async () => {
    const page = await source(api.url).fetch({ ...ten, page: 2, nat: ["ir", "ua"] }, never);
    const users: unknown = page.payloads.map((text) => JSON.parse(text));
    expect(users).toEqual(page.users);
    expect(page.users).toHaveLength(10);
    const url = `${api.url}?results=10&page=2&seed=run-&nat=ir,ua`;
    expect(await (await fetch(url)).json()).toMatchObject({ results: page.users });
  });

  test("comes with the same users each time, and with others for another page", async () => {
    const open = source(api.url);
    const first = await open.fetch(ten, never);
    expect(await open.fetch(ten, never)).toEqual(first);
    expect(await open.fetch({ ...ten, page: 2 }, never)).not.toEqual(first);
  });

  test("of run1 is never one of run11", async () => {
    const open = source(api.url);
    const twelve = await open.fetch({ ...ten, seed: "run1", page: 12 }, never);
    expect(await open.fetch({ ...ten, seed: "run11", page: 2 }, never)).not.toEqual(twelve);
  });

  test("may have 5000 users", async () => {
    const page = await source(api.url).fetch({ ...ten, results: 5000 }, never);
    expect(page.users).toHaveLength(5000);
  });

  test("with invalid or repeated users is as good as any: judging them is not done here", async () => {
    for (const fault of ["invalid", "duplicates"]) {
      const page = await source(`${api.url}?fault=${fault}`).fetch(ten, never);
      expect(page.users).toHaveLength(10);
    }
  });

  test("is asked for with user and password of the address, which no message shows", async () => {
    const seen: (string | null)[] = [];
    await using server = serve((request) => {
      seen.push(request.headers.get("authorization"), request.headers.get("accept"));
      return new Response("no", { status: 403 });
    });
    const url = new URL(server.url);
    url.username = "me";
    url.password = "secret";
    url.searchParams.set("key", "secret");
    const error = await failureOf(source(url.href).fetch(ten, never));
    expect(seen).toEqual([`Basic ${btoa("me:secret")}`, "application/json"]);
    expect(error.message).toBe(`${server.url} answered 403: no`);
  });
});

test("a call is told of with what was answered, else with why there was no answer", async () => {
  const told: SourceCall[] = [];
  const onCall = (call: SourceCall) => void told.push(call);
  const ask = (url: string, over: Partial<SourceDeps> = {}, signal = never) =>
    source(url, { onCall, ...over }).fetch(ten, signal);
  await ask(api.url);
  await failureOf(ask(`${api.url}?fault=500`));
  await failureOf(ask(`${api.url}?fault=truncated`));
  await failureOf(ask(`${api.url}?fault=slow=60000`, { timeoutMs: 50 }));
  await failureOf(ask(`http://127.0.0.1:${await refusedPort()}/`));
  expect(told.map(({ status }) => status)).toEqual([200, 500, 200, "timeout", "unavailable"]);
  expect(told[3]?.ms).toBeGreaterThanOrEqual(49);
  const stop = new AbortController();
  const stopping = failureOf(ask(`${api.url}?fault=slow=60000`, {}, stop.signal));
  stop.abort(new Error("stopped"));
  await stopping;
  expect(told).toHaveLength(5);
});

describe("the stand-in's fault", () => {
  test.each([
    ["429", "rate_limited", "answered 429, too many requests: Whoa, ease up there"],
    ["500", "unavailable", "answered 500: Internal Server Error"],
    ["html", "bad_response", "answered text/html; charset=utf-8, not JSON: <!DOCTYPE html>"],
    ["truncated", "bad_response", 'characters that are not JSON: {"results":[{"gender":'],
    ["short", "bad_response", "sent 9 users instead of 10"],
    ["slow=60000", "timeout", "did not answer in full within 0.3 s"],
    ["stall", "timeout", "did not answer in full within 0.3 s"],
    ["hang", "timeout", "did not answer in full within 0.3 s"],
    ["reset", "unavailable", "closed the connection before the end of its answer"],
  ])("%s is %s", async (fault, code, words) => {
    const open = source(`${api.url}?fault=${fault}`, { timeoutMs: 300 });
    const error = await failureOf(open.fetch(ten, never));
    expect(error).toBeInstanceOf(PipelineError);
    expect(error).toMatchObject({ code, retryAfterMs: undefined });
    expect(error.message).toStartWith(`${api.url} `);
    expect(error.message).toContain(words);
  });

  test("huge is bad_response as soon as it is too much", async () => {
    const open = source(`${api.url}?fault=huge`, { maxBytes: 1_000_000 });
    const error = await failureOf(open.fetch(ten, never));
    expect(error).toMatchObject({ code: "bad_response" });
    expect(error.message).toContain("sent more than 1000000 bytes");
  });

  test("is over when the server is well again", async () => {
    await using ill = startFakeApi({ faults: [{ kind: "500", amount: 0, times: 1 }] });
    const open = source(ill.url);
    await failureOf(open.fetch(ten, never));
    expect((await open.fetch(ten, never)).users).toHaveLength(10);
  });
});

describe("an answer", () => {
  const list = (length: number) => JSON.stringify({ results: Array(length).fill({}) });

  test.each<[string, () => Response, string, string]>([
    ["an error in JSON", () => Response.json({ error: "Sorry" }), "bad_response", "Sorry"],
    ["a bare list", () => Response.json([{}]), "bad_response", "without a list of results"],
    ["null", () => Response.json(null), "bad_response", "without a list of results"],
    ["results that are no list", () => Response.json({ results: {} }), "bad_response", "list"],
    ["more users than asked for", () => json(list(11)), "bad_response", "11 users instead of 10"],
    ["one user for ten", () => json(list(1)), "bad_response", "1 users instead of 10"],
    ["nothing", () => json(""), "bad_response", "not JSON: nothing"],
    ["bytes that are not UTF-8", () => json(new Uint8Array([0x22, 0xff])), "bad_response", "UTF-8"],
    ["CSV", () => typed("a,b", "text/csv"), "bad_response", "text/csv, not JSON: a,b"],
    ["204", () => new Response(null, { status: 204 }), "bad_response", "not JSON"],
    ["304", () => new Response(null, { status: 304 }), "bad_response", "answered 304"],
    ["400", () => new Response("bad", { status: 400 }), "refused", "answered 400: bad"],
    ["404", () => new Response("Not Found", { status: 404 }), "refused", "404: Not Found"],
    ["408", () => new Response("", { status: 408 }), "timeout", "answered 408: nothing"],
    ["502", () => new Response("bad", { status: 502 }), "unavailable", "answered 502: bad"],
  ])("that is %s gets its code", async (_, answer, code, words) => {
    await using server = serve(answer);
    const error = await failureOf(source(server.url).fetch(ten, never));
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(words);
  });

  test("may be called JSON in other words, or nothing at all", async () => {
    for (const type of ["text/json", "application/problem+json", "application/json;charset=utf8"]) {
      await using server = serve(() => typed(list(10), type));
      expect((await source(server.url).fetch(ten, never)).users).toHaveLength(10);
    }
    const body = list(10).padEnd(100);
    using silent = serveRaw(`HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n${body}`);
    expect((await source(silent.url).fetch(ten, never)).users).toHaveLength(10);
  });

  test("may be compressed, and is still not larger than allowed", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const zipped = (text: string) => new Response(Bun.gzipSync(text), { headers });
    await using server = serve(() => zipped(list(10)));
    expect((await source(server.url).fetch(ten, never)).users).toHaveLength(10);
    await using bomb = serve(() => zipped(`{"results":[]${" ".repeat(5_000_000)}}`));
    const error = await failureOf(source(bomb.url, { maxBytes: 1_000_000 }).fetch(ten, never));
    expect(error.message).toContain("sent more than 1000000 bytes");
    await using broken = serve(() => new Response("not zipped", { headers }));
    expect(await failureOf(source(broken.url).fetch(ten, never))).toMatchObject({
      code: "bad_response",
    });
  });

  test.each([
    [429, "rate_limited", "7", 7000],
    [503, "unavailable", "3", 3000],
    [429, "rate_limited", "later", undefined],
  ])("%p says how long to stay away", async (status, code, header, retryAfterMs) => {
    const headers = { "retry-after": header };
    await using server = serve(() => new Response("busy", { status, headers }));
    const error = await failureOf(source(server.url).fetch(ten, never));
    expect(error).toMatchObject({ code, retryAfterMs });
  });

  test("elsewhere is followed there, but not for ever", async () => {
    await using moved = serve((request) =>
      Response.redirect(`${api.url}${new URL(request.url).search}`, 302),
    );
    expect((await source(moved.url).fetch(ten, never)).users).toHaveLength(10);
    await using loop = serve((request) => Response.redirect(request.url, 302));
    const error = await failureOf(source(loop.url).fetch(ten, never));
    expect(error).toMatchObject({ code: "bad_response" });
    expect(error.message).toContain("redirects without end");
  });
});

describe("a connection", () => {
  test.each([
    ["closed without a word", ""],
    ["that speaks something else than HTTP", "220 mail.example.com ESMTP\r\n"],
    ["closed before the end of the body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"],
    ["closed before the end of the headers", "HTTP/1.1 200 OK\r\ncontent-le"],
  ])("%s is unavailable", async (_, bytes) => {
    using server = serveRaw(bytes);
    const error = await failureOf(source(server.url).fetch(ten, never));
    expect(error).toMatchObject({ code: "unavailable" });
  });
});

describe("an API that cannot be reached", () => {
  test("is unavailable when its port is closed", async () => {
    const url = await closedPort();
    const error = await failureOf(source(url).fetch(ten, never));
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toBe(`${url} refused the connection`);
  });

  test("is unavailable when its name is unknown", async () => {
    const error = await failureOf(source("http://no-such-host.invalid/").fetch(ten, never));
    expect(error).toMatchObject({ code: "unavailable" });
  });

  test("is unavailable when it does not speak TLS", async () => {
    const url = api.url.replace("http:", "https:");
    expect(await failureOf(source(url).fetch(ten, never))).toMatchObject({ code: "unavailable" });
  });
});

describe("an abort", () => {
  test.each(["hang", "stall", "slow=60000"])("ends a call that meets %s at once", async (fault) => {
    const stop = new AbortController();
    let asked = () => {};
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    await using proxy = serve((request) => {
      asked();
      const { search } = new URL(request.url);
      return fetch(`${api.url}${search}&fault=${fault}`, { signal: request.signal });
    });
    const fetching = failureOf(source(proxy.url).fetch(ten, stop.signal));
    await reached;
    const started = performance.now();
    const reason = new Error("stopped");
    stop.abort(reason);
    expect(await fetching).toBe(reason);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("that came before asks for nothing", async () => {
    await using server = serve(() => Response.json({ error: "asked" }));
    const reason = new Error("stopped");
    const error = await failureOf(source(server.url).fetch(ten, AbortSignal.abort(reason)));
    expect(error).toBe(reason);
    expect(server.requests()).toBe(0);
  });
});

describe("the rate limit", () => {
  test("is waited for before the call", async () => {
    await using server = serve(() => json(JSON.stringify({ results: Array(10).fill({}) })));
    const limit = stoppedClock(20);
    const open = source(server.url, { rateLimit: limit.rateLimit });
    await open.fetch(ten, never);
    await open.fetch(ten, never);
    expect(limit.waits).toEqual([]);
    await open.fetch(ten, never);
    expect(limit.waits).toEqual([300_000]);
  });

  test("counts a call whose answer was useless, since the API has counted it too", async () => {
    await using server = serve(() => new Response("broken", { status: 500 }));
    const limit = stoppedClock(10);
    const open = source(server.url, { rateLimit: limit.rateLimit });
    await failureOf(open.fetch(ten, never));
    await failureOf(open.fetch(ten, never));
    expect(limit.waits).toEqual([300_000]);
  });

  test("does not count a call that got nowhere, nor one answered with 429", async () => {
    await using busy = serve(() => Response.json({ error: "Whoa" }, { status: 429 }));
    for (const url of [await closedPort(), busy.url]) {
      const limit = stoppedClock(10);
      const open = source(url, { rateLimit: limit.rateLimit });
      for (let call = 0; call < 3; call++) await failureOf(open.fetch(ten, never));
      expect(limit.waits).toEqual([]);
    }
  });

  test("keeps the API's own limit from ever being met", async () => {
    await using strict = startFakeApi({ limit: 50 });
    const open = openSource(
      { url: strict.url },
      {
        log: silentLog,
        rateLimit: createRateLimit(
          createFakeBookings(() => performance.now()),
          { url: strict.url, usersPerFiveMinutes: 50 },
          { log: silentLog },
        ),
      },
    );
    for (let page = 1; page <= 5; page++) await open.fetch({ ...ten, page }, never);
    const stop = new AbortController();
    const sixth = failureOf(open.fetch({ ...ten, page: 6 }, stop.signal));
    const reason = new Error("stopped");
    stop.abort(reason);
    expect(await sixth).toBe(reason);
    expect((await fetch(strict.url)).status).toBe(429);
  });
});

test("what the API would answer with other users is refused unasked", async () => {
  await using server = serve(() => Response.json({ error: "asked" }));
  for (const change of [{ results: 5001 }, { page: 10_001 }, { seed: "" }, { nat: ["xx"] }]) {
    const error = await failureOf(source(server.url).fetch({ ...ten, ...change }, never));
    expect(error).toMatchObject({ code: "refused" });
  }
  expect(server.requests()).toBe(0);
});

function source(url: string, deps: Partial<SourceDeps> = {}) {
  return openSource({ url }, { log: silentLog, rateLimit: noLimit, ...deps });
}

function serve(answer: (request: Request) => Response | Promise<Response>) {
  let requests = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 255,
    fetch(request) {
      requests++;
      return answer(request);
    },
  });
  return {
    url: server.url.href,
    requests: () => requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Answers every request with these bytes and closes the connection. */
function serveRaw(bytes: string) {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end(bytes) },
  });
  return {
    url: `http://127.0.0.1:${server.port}/`,
    [Symbol.dispose]: () => server.stop(true),
  };
}

function json(body: string | Uint8Array<ArrayBuffer>): Response {
  return typed(body, "application/json");
}

function typed(body: string | Uint8Array<ArrayBuffer>, type: string): Response {
  return new Response(body, { headers: { "content-type": type } });
}

/** The address of a port that was free a moment ago. */
async function closedPort(): Promise<string> {
  await using server = serve(() => new Response());
  return server.url;
}

/** A limit whose clock moves by its waits alone. */
function stoppedClock(users: number) {
  const waits: number[] = [];
  let now = 0;
  const wait = async (ms: number) => {
    waits.push(ms);
    now += ms;
  };
  const limited = { url: "http://api/", usersPerFiveMinutes: users };
  const bookings = createFakeBookings(() => now);
  return { waits, rateLimit: createRateLimit(bookings, limited, { log: silentLog, wait }) };
}
