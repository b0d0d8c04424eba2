import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { readConfig } from "../../../lib/config.ts";
import { startingApp } from "../../../lib/http/browser-app.ts";
import { listen, listenEarly } from "../../../lib/http/listen.ts";

import { type Log, silentLog } from "../../../lib/log.ts";
import { createWaits } from "../../../lib/waits.ts";

setDefaultTimeout(60_000);

const hello = { fetch: () => new Response("hello") };
const local = { host: "127.0.0.1", port: 0, setting: "PORT" };

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1"),
);

describe("a server", () => {
  test("says where it listens, on a free port when asked for 0", async () => {
    await using server = listen(hello, local);
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await (await fetch(server.url)).text()).toBe("hello");
  });

  test.skipIf(!hasIpv6)(
    "listens on ::1 too (skipped where there is no IPv6), with a valid address",
    async () => {
      await using server = listen(hello, { ...local, host: "::1" });
      expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+\/$/);
      expect(await (await fetch(server.url)).text()).toBe("hello");
    },
  );

  test("refuses a port that is in use, and names the setting for another", async () => {
    await using server = listen(hello, local);
    const port = Number(new URL(server.url).port);
    expect(() => listen(hello, { ...local, port, setting: "CONSUMER_PORT" })).toThrow(
      expect.objectContaining({
        code: "setup",
        message: `127.0.0.1:${port}: port ${port} is in use; CONSUMER_PORT=… chooses another`,
      }),
    );
  });

  test("refuses an address that is not of this machine", () => {
    expect(() => listen(hello, { ...local, host: "192.0.2.1" })).toThrow(
      expect.objectContaining({ code: "setup" }),
    );
  });

  test("lets running requests end, and takes no new ones", async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Response>();
    const server = listen(
      {
        fetch: () => {
          asked.resolve();
          return answer.promise;
        },
      },
      local,
    );
    const running = fetch(server.url, { headers: { connection: "close" } });
    await asked.promise;
    const closed = server[Symbol.asyncDispose]();
    answer.resolve(new Response("late"));
    expect(await (await running).text()).toBe("late");
    await closed;
    await expect(fetch(server.url)).rejects.toThrow();
  });
});

test("a port is open from the start, and says that the service is not ready until it serves", async () => {
  const log: Log = { ...silentLog, waits: createWaits() };
  const { http } = readConfig({ PORT: "0" });
  const metrics = { contentType: "text/plain", text: async () => "up 1\n" };
  await using server = listenEarly(http, { setting: "PORT", app: startingApp, metrics, log });
  const get = async (path: string) => (await fetch(new URL(path, server.url))).status;
  expect(await get("/healthz")).toBe(200);
  expect(await get("/readyz")).toBe(503);
  expect(await get("/metrics")).toBe(200);
  expect(await get("/hello")).toBe(503);
  expect(await get("/api/runs")).toBe(503);
  // Browsers see there what it waits for.
  expect(await get("/")).toBe(200);
  expect(await get("/api/session")).toBe(200);
  {
    using _ = server.serve(hello);
    expect(await get("/hello")).toBe(200);
    expect(log.waits.now()).toEqual([]);
  }
  expect(await get("/hello")).toBe(503);
  expect(await get("/readyz")).toBe(503);
});

test("a port that other machines reach is not opened without a token", () => {
  const { http } = readConfig({ HOST: "0.0.0.0", PORT: "0" });
  expect(() => listenEarly(http, { setting: "PORT", log: silentLog })).toThrow(
    expect.objectContaining({ code: "usage" }),
  );
});
