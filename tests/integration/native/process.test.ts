import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { openTopic } from "../../kafka-clients.ts";
import { resultOf, runProgram } from "../../programs.ts";
import { testKafka } from "../../servers.ts";

setDefaultTimeout(180_000);

let brokers: string;
beforeAll(async () => {
  brokers = await testKafka();
});

/** In a process of its own, with a topic of its own. */
async function run(program: string, options: Parameters<typeof runProgram>[2] = {}) {
  await using topic = await openTopic(brokers);
  return await runProgram(program, [brokers, topic.name], options);
}

describe("the process", () => {
  test("ends by itself after disconnecting, and not while a client is connected", async () => {
    const [ends, stays] = await Promise.all([run("ends.ts"), run("stays.ts")]);
    expect(resultOf<string>(ends)).toBe("done");
    expect(stays.exitCode).toBe(5);
  });

  test("exits at once with the code it asks for, with clients open and busy", async () => {
    const { exitCode, signal } = await run("exit.ts");
    expect({ exitCode, signal }).toEqual({ exitCode: 7, signal: null });
  });

  test("hears of each error thrown in a callback as uncaughtException, and goes on", async () => {
    expect(resultOf<object>(await run("throws.ts"))).toEqual({
      report: 300,
      flush: 1,
      stats: 1,
      rebalance: 1,
      consume: 1,
      data: 300,
    });
  });

  test("ends with an error when nobody listens for uncaughtException", async () => {
    const program = "throws-alone.ts";
    const { exitCode, signal, stderr } = await run(program);
    expect({ exitCode, signal }).toEqual({ exitCode: 1, signal: null });
    expect(stderr).toContain("nobody hears this");
  });

  test("may use the client in Workers, one after the other and at once, then in the main thread", async () => {
    expect(resultOf<number[]>(await run("workers.ts"))).toEqual([100, 100, 100, 100, 100, 1]);
  });

  test("gets back what clients held that were dropped without being connected", async () => {
    const { threads } = resultOf<{ threads: number }>(await run("collected.ts"));
    expect(threads).toBeLessThan(20); // of 200 clients
  });

  test("survives every wrong use of the addon", async () => {
    const outcomes = resultOf<Record<string, string>>(await run("misuse.ts"));
    const returned = Object.entries(outcomes).filter(([, it]) => !it.startsWith("throws"));
    expect(Object.fromEntries(returned)).toEqual({
      "setting with a number for a name": "object",
      "headers that are null": "-172", // ERR__STATE: not connected
      "headers that are a number": "-172",
    });
  });

  test("may be Node as well, with the same addon", async () => {
    const ended = await run("node.cjs", { with: ["node"] });
    expect(resultOf<object>(ended)).toMatchObject({ received: 1000 });
  });
});
