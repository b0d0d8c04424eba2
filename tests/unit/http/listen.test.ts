import { describe, expect, test } from "bun:test";
import { readConfig } from "../../../lib/config.ts";
import { requireProtection } from "../../../lib/http/listen.ts";

const http = (env: Record<string, string>) => readConfig(env).http;

describe("a service without a token", () => {
  test.each(["127.0.0.1", "127.8.9.1", "localhost", "::1"])("may listen on %s", (HOST) => {
    requireProtection(http({ HOST }));
  });

  test.each([
    "0.0.0.0",
    "::",
    "192.168.1.5",
    "example.com",
    "127.0.0.1.example.com",
    "localhost.example",
  ])("may not listen on %s", (HOST) => {
    expect(() => requireProtection(http({ HOST }))).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.stringMatching(/^HOST=".+": expected a loopback address, or API_TOKEN set/),
      }),
    );
  });

  test("may listen anywhere when something in front protects it", () => {
    requireProtection(http({ HOST: "0.0.0.0", API_AUTH: "off" }));
  });
});

test("a service with a token may listen anywhere", () => {
  requireProtection(http({ HOST: "0.0.0.0", API_TOKEN: "0123456789abcdef" }));
});
