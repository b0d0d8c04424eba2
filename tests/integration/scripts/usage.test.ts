import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { runScript } from "../../scripts.ts";

setDefaultTimeout(180_000);

const folder = resolve(import.meta.dir, "../../../scripts");
// These begin by installing what is missing.
const scripts = (await readdir(folder))
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => !["demo", "test"].includes(name));

/** Every option that a script's source declares. */
async function optionsOf(name: string): Promise<string[]> {
  const source = await Bun.file(`${folder}/${name}.ts`).text();
  return [...source.matchAll(/^\s+"?([a-z-]+)"?: \{ type: "(?:boolean|string)"/gm)].map(
    ([, option]) => `--${option}`,
  );
}

describe("--help", () => {
  test.each(scripts)("of %s says what it does, and lists every option", async (name) => {
    const { exitCode, stdout, stderr } = await runScript(name, ["--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain(`Usage: bun run ${name}`);
    for (const option of [...(await optionsOf(name)), "--help"]) expect(stdout).toContain(option);
  });

  test("is given whatever else is wrong", async () => {
    const { exitCode } = await runScript("ingest", ["--help"], { RESULTS: "none" });
    expect(exitCode).toBe(0);
  });
});

describe("wrong usage", () => {
  test.each(scripts)("of %s is told in words, with exit code 2", async (name) => {
    const { exitCode, stdout, stderr } = await runScript(name, ["--no-such-option"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toStartWith(`${name}: `);
    expect(stderr).toContain("--no-such-option");
    expect(stderr).toContain(`bun run ${name} --help`);
  });

  test("in settings is told of all of them at once, without secrets", async () => {
    const { exitCode, stdout, stderr } = await runScript("consume", ["--drain"], {
      ...{ KAFKA_PARTITIONS: "many", SCHEDULE: "daily", PORT: "99999" },
      ...{ API_TOKEN: "my secret", DATABASE_URL: "mysql://me:my-secret@db/x" },
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    for (const name of ["KAFKA_PARTITIONS", "SCHEDULE", "PORT", "API_TOKEN", "DATABASE_URL"]) {
      expect(stderr).toContain(`${name}=`);
    }
    expect(stderr).not.toMatch(/my.secret/);
    expect(stderr.trim().split("\n")).toHaveLength(5);
  });

  test.each([
    [["--once", "--results", "0"], "--results"],
    [["--once", "--nat", "xx"], "--nat"],
    [["--results", "5"], "--once"],
    [["surplus"], "surplus"],
  ])("of ingest: %j", async (args, words) => {
    const { exitCode, stderr } = await runScript("ingest", args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(words);
  });

  test.each(["ingest", "consume"])("is %s reachable by others without a token", async (name) => {
    const { exitCode, stderr } = await runScript(name, [], { HOST: "0.0.0.0" });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("API_TOKEN");
  });
});
