import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { startFakeApi } from "../../../../lib/local/fake-api/server.ts";
import { failureOf } from "../../../failure.ts";

// A process takes long to start on a machine that is busy otherwise.
setDefaultTimeout(120_000);

describe("the stand-in's server", () => {
  test("answers at the address it names, on a port of its own", async () => {
    await using one = startFakeApi();
    await using other = startFakeApi();
    expect(one.port).not.toBe(other.port);
    expect(one.url).toBe(`http://127.0.0.1:${one.port}/api/1.4/`);
    const users = (url: string) =>
      fetch(`${url}?results=3&seed=a-`).then((answer) => answer.text());
    expect(await users(one.url)).toBe(await users(other.url));
  });

  test("says what to do when its port is taken", async () => {
    await using first = startFakeApi();
    const second = () => startFakeApi({ port: first.port });
    expect(second).toThrow(`port ${first.port} is in use: take another one with --port`);
    expect(second).toThrow(expect.objectContaining({ code: "setup" }));
  });

  test("says that it cannot listen at an address that is not this machine's", () => {
    // An address for documentation (RFC 5737), which no machine has.
    const elsewhere = () => startFakeApi({ hostname: "192.0.2.1" });
    expect(elsewhere).toThrow(expect.objectContaining({ code: "setup" }));
  });

  test("closes at once, twice, and lets go of calls that hang", async () => {
    const api = startFakeApi();
    const stalled = await fetch(`${api.url}?fault=stall&results=5000`);
    const hanging = fetch(`${api.url}?fault=hang`).catch((error: unknown) => error);
    await api[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
    expect(await hanging).toBeInstanceOf(Error);
    await failureOf(stalled.text());
    await failureOf(fetch(api.url));
  });
});

describe("bun run fake-api", () => {
  test("says its address and how to use it, misbehaves as told, and ends by SIGTERM", async () => {
    await using command = start("--port", "0", "--fault", "500:1", "--limit", "7");
    const { url, text } = await command.ready();
    expect(text).toContain(`SOURCE_URL=${url} bun run ingest`);
    const statuses = [];
    for (const results of [2, 7, 1]) {
      statuses.push((await fetch(`${url}?results=${results}`)).status);
    }
    expect(statuses).toEqual([500, 200, 429]);
    command.kill("SIGTERM");
    expect(await command.exited()).toEqual({ code: 0, errors: "" });
  });

  test("ends with one clear line when the port is taken", async () => {
    await using api = startFakeApi();
    await using command = start("--port", String(api.port));
    const { code, errors } = await command.exited();
    expect(code).toBe(1);
    expect(errors).toMatch(/^fake-api: port \d+ is in use: take another one with --port.*\n$/);
  });

  test.each([
    ["--port", "http"],
    ["--port", "70000"],
    ["--limit", "-1"],
    ["--fault", "gremlins"],
    ["--speed", "9"],
  ])("takes %s %s for wrong usage", async (option, value) => {
    await using command = start(`${option}=${value}`);
    const { code, errors } = await command.exited();
    expect({ code, named: errors.includes(option.slice(2)) }).toEqual({ code: 2, named: true });
  });
});

function start(...options: string[]) {
  const script = new URL("../../../../scripts/fake-api.ts", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, script, ...options], {
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env.PATH },
  });
  return {
    async ready() {
      let text = "";
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        text += decoder.decode(chunk, { stream: true });
        const url = /^http:\S+(?=\nUse it: .*\n)/.exec(text)?.[0];
        if (url !== undefined) return { url, text };
      }
      throw new Error(`ended before it was ready: ${text}`);
    },
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    async exited() {
      const [code, errors] = await Promise.all([child.exited, child.stderr.text()]);
      return { code, errors };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
