import { expect, test } from "bun:test";
import { PipelineError } from "../../../lib/errors.ts";
import { createHealth, type Readiness } from "../../../lib/http/health.ts";
import { silentLog } from "../../../lib/log.ts";
import { createWaits } from "../../../lib/waits.ts";

const noon = new Date("2026-01-01T12:00:00Z");
const down = () => Promise.reject(new PipelineError("unavailable", "store, ping: down"));

interface Body {
  readonly status?: string;
  readonly waitingFor?: readonly unknown[];
}

function health({ checks = {}, token = "" }: Partial<Readiness & Readiness["http"]> = {}) {
  const waits = createWaits(() => noon);
  const app = createHealth({ log: { ...silentLog, waits }, checks, http: { token, auth: "on" } });
  const ready = async () => {
    const answer = await app.request("/readyz");
    return { status: answer.status, body: (await answer.json()) as Body };
  };
  return { waits, app, ready };
}

test("a process that waits for something is not ready, and says for what, why and since when", async () => {
  const { waits, ready, app } = health();
  expect(await ready()).toEqual({ status: 200, body: { status: "ok" } });
  const wait = waits.begin("Kafka at b:9092", "refused");
  const { status, body } = await ready();
  expect(status).toBe(503);
  expect(body).toMatchObject({
    title: "Not ready",
    detail: "waiting for Kafka at b:9092",
    waitingFor: [{ what: "Kafka at b:9092", reason: "refused", since: noon.toISOString() }],
  });
  expect((await app.request("/healthz")).status).toBe(200);
  wait.over();
  expect((await ready()).status).toBe(200);
});

test("a neighbour that does not answer is waited for too", async () => {
  const { ready } = health({ checks: { "the store": down, PostgreSQL: async () => {} } });
  expect((await ready()).body).toMatchObject({
    waitingFor: [{ what: "the store", reason: "store, ping: down" }],
  });
});

test("a neighbour that never answers does not keep the answer", async () => {
  const { ready } = health({ checks: { "the store": () => new Promise(() => {}) } });
  expect((await ready()).body).toMatchObject({
    waitingFor: [{ what: "the store", reason: "no answer within 2 s" }],
  });
});

test("what is waited for already is not asked again", async () => {
  const { waits, ready } = health({ checks: { "the store": down } });
  waits.begin("the store", "the first reason");
  expect((await ready()).body.waitingFor).toEqual([
    expect.objectContaining({ what: "the store", reason: "the first reason" }),
  ]);
});

test("where a token is needed the reasons and hosts are not told to everybody", async () => {
  const { ready } = health({ checks: { "the store at 10.1.2.3:9042": down }, token: "secret" });
  const { body } = await ready();
  expect(body.waitingFor).toEqual([{ what: "the store", since: expect.any(String) }]);
  expect(JSON.stringify(body)).not.toMatch(/down|10\.1/);
});

test("metrics are served to those who have the token, in Prometheus' format", async () => {
  const metrics = { contentType: "text/plain; version=0.0.4", text: async () => "up 1\n" };
  const http = { token: "correct-horse-battery", auth: "on" } as const;
  const app = createHealth({ log: silentLog, checks: {}, metrics, http });
  const headers = { authorization: `Bearer ${http.token}` };
  const answer = await app.request("/metrics", { headers });
  expect([answer.status, await answer.text()]).toEqual([200, "up 1\n"]);
  expect(answer.headers.get("content-type")).toBe(metrics.contentType);
  expect((await app.request("/metrics")).status).toBe(401);
  expect((await app.request("/metrics", { method: "POST", headers })).status).toBe(405);
});

test("nothing else is served, and all of it with headers that protect", async () => {
  const { app } = health();
  const answer = await app.request("/other");
  expect(answer.status).toBe(404);
  expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
});
