import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { expectNothingLost } from "../fixtures/faults/invariant.ts";
import { openScene } from "../fixtures/faults/scene.ts";
import { runScript } from "../scripts.ts";
import { openKeyspace, type TestKeyspace } from "../stations.ts";

setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(() => keyspace[Symbol.asyncDispose]());

const wrongBy = (seconds: number) => ({
  BUN_OPTIONS: `--preload ${join(import.meta.dir, "../fixtures/faults/programs/clock.ts")}`,
  CLOCK_SHIFT_SECONDS: String(seconds),
});

const hour = 3600;

describe("the newest version wins, whatever the clocks of the processes say:", () => {
  test.each([
    ["first an hour ahead, then an hour behind", [hour, -hour]],
    ["first an hour behind, then an hour ahead", [-hour, hour]],
  ] as const)("%s", async (_, clocks) => {
    await using scene = await openScene(keyspace, { partitions: 2 });
    const at = async (seconds: number, name: string, ...args: readonly string[]) => {
      const settings = { ...scene.settings, ...wrongBy(seconds) };
      const { exitCode, stderr } = await runScript(name, args, settings);
      if (exitCode !== 0) throw new Error(stderr);
      return stderr;
    };
    for (const seconds of clocks) {
      const log = await at(seconds, "ingest", "--once", "--seed", "same-", "--results", "100");
      // The log tells the time of the process: it really is another one.
      const [, said] = /"time":(\d+)/.exec(log) ?? [];
      expect(Math.round((Number(said) - Date.now()) / hour / 1000)).toBe(seconds / hour);
      await scene.poison(5);
      await at(-seconds, "consume", "--drain");
    }
    await expectNothingLost(scene);
  });
});
