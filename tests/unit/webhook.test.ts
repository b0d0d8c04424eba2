import { afterAll, describe, expect, test } from "bun:test";
import type { Alert } from "../../lib/domain/alert.ts";
import { createWebhook, signed } from "../../lib/webhook.ts";
import { failureOf } from "../failure.ts";
import { never } from "../users.ts";

const received: { headers: Headers; body: string }[] = [];
let status = 204;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    received.push({ headers: request.headers, body: await request.text() });
    return new Response(null, { status, headers: status === 302 ? { location: "/other" } : {} });
  },
});
afterAll(() => server.stop(true));

const url = new URL("/services/hunter2", server.url).href;
const alert: Alert = {
  ...{ uid: "6f1f", type: "run.failed", timestamp: "2026-01-31T12:00:00.000Z" },
  data: { run: { id: 1, error: "500" } },
};
const now = () => new Date("2026-01-31T12:00:05.900Z");

describe("a webhook", () => {
  test("is signed as Standard Webhooks have it: their own example", () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    expect(signed(id, 1614265330, '{"test": 2432232314}', secret)).toEqual({
      ...{ "webhook-id": id, "webhook-timestamp": "1614265330" },
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  test("gets the alert with its id, time and signature", async () => {
    await createWebhook({ url, secret: "a secret of ours" }, now)?.send(alert, never);
    const { headers, body } = received.at(-1) ?? { headers: new Headers(), body: "" };
    expect(JSON.parse(body)).toEqual({
      ...{ type: "run.failed", timestamp: alert.timestamp, data: alert.data },
    });
    expect(headers.get("content-type")).toBe("application/json");
    const expected = signed("6f1f", 1769860805, body, "a secret of ours");
    expect(Object.keys(expected)).toHaveLength(3);
    for (const [name, value] of Object.entries(expected)) expect(headers.get(name)).toBe(value);
  });

  test("without a secret is not signed; without an address there is none", async () => {
    await createWebhook({ url, secret: "" }, now)?.send(alert, never);
    expect(received.at(-1)?.headers.has("webhook-signature")).toBe(false);
    expect(createWebhook({ url: "", secret: "" })).toBeUndefined();
  });

  test.each([400, 404, 410, 500, 302])("that answers %d has not taken it", async (code) => {
    status = code;
    const error = await failureOf(
      createWebhook({ url, secret: "" })?.send(alert, never) ?? Promise.resolve(),
    );
    expect(error).toMatchObject({ code: "unavailable" });
    expect(Bun.inspect(error)).not.toContain("hunter2");
  });

  test("that is not there, or is no longer wanted, is told apart, and its path is told nobody", async () => {
    const gone = createWebhook({ url: "http://127.0.0.1:1/hunter2", secret: "" });
    const error = await failureOf(gone?.send(alert, never) ?? Promise.resolve());
    expect(error).toMatchObject({ code: "unavailable" });
    expect(Bun.inspect(error)).not.toContain("hunter2");
    const reason = new DOMException("stopped", "AbortError");
    const stopped = gone?.send(alert, AbortSignal.abort(reason)) ?? Promise.resolve();
    expect(await failureOf(stopped)).toBe(reason);
  });
});
