import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectDir } from "../../../lib/local/paths.ts";
import { holderOf } from "../../../lib/local/ports.ts";
import { startedAt } from "../../../lib/local/process.ts";
import { down } from "../../../lib/local/servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(240_000);

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "test-command-"));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(home, 0o711);
});

afterAll(async () => {
  await down({ home, wipe: true });
  await rm(home, { recursive: true, force: true });
}, 120_000);

const command = (...args: string[]) => [process.execPath, "scripts/servers.ts", ...args];

async function servers(...args: string[]) {
  const child = Bun.spawn(command(...args), {
    cwd: projectDir,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { exitCode: await child.exited, stdout, stderr };
}

const postgresOnly = () => ["--home", home, "--only", "postgres"];

describe("bun run servers", () => {
  test("up leaves the server running when the command has ended; down ends it", async () => {
    const up = await servers("up", ...postgresOnly(), "--postgres-port", "0", "--json");
    expect(up.exitCode).toBe(0);
    const [server] = JSON.parse(up.stdout);
    expect(up.stderr).toMatch(/^postgres: starting\npostgres: ready on 127\.0\.0\.1:\d+ after /);
    expect(await startedAt(server.pid)).toBeDefined();
    expect(await holderOf(server.port)).toBe(`postgres (process ${server.pid})`);

    const status = await servers("status", ...postgresOnly(), "--json");
    expect(JSON.parse(status.stdout)).toEqual([
      {
        name: "postgres",
        pid: server.pid,
        port: server.port,
        ready: true,
        dataDir: server.dataDir,
      },
    ]);

    const downed = await servers("down", ...postgresOnly());
    expect(downed).toMatchObject({ exitCode: 0, stdout: "" });
    expect(downed.stderr).toMatch(/^postgres: stopped after /);
    expect(await startedAt(server.pid)).toBeUndefined();
  });

  test("status is a list of all three, also when nothing is up", async () => {
    const { exitCode, stdout } = await servers("status", "--home", join(home, "none"), "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual(
      [
        ["kafka", 9092],
        ["cassandra", 9042],
        ["postgres", 5432],
      ].map(([name, port]) => ({
        ...{ name, pid: null, port, ready: false },
        dataDir: join(home, "none", String(name)),
      })),
    );
  });

  test("logs shows a server's log, and follows it until it is stopped", async () => {
    await servers("up", ...postgresOnly(), "--postgres-port", "0");
    const shown = await servers("logs", "postgres", "--home", home);
    expect(shown.stdout).toContain("database system is ready to accept connections");

    const following = Bun.spawn(command("logs", "postgres", "--follow", "--home", home), {
      cwd: projectDir,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    let text = "";
    const reading = (async () => {
      for await (const chunk of following.stdout) text += new TextDecoder().decode(chunk);
    })();
    await until(() => text.includes("ready to accept connections"));
    await servers("down", ...postgresOnly());
    await until(() => text.includes("database system is shut down"));
    following.kill("SIGINT");
    expect(await following.exited).toBe(0);
    await reading;
  });

  test.each([
    [["fly"], "expected up, down, status or logs"],
    [[], "expected up, down, status or logs"],
    [["up", "--only", "redis"], "expected some of kafka,cassandra,postgres"],
    [["up", "--kafka-port", "many"], "expected a number from 0 to 65535"],
    [["up", "--fast"], "--fast"],
  ])("%j is wrong usage", async (args, reason) => {
    const { exitCode, stdout, stderr } = await servers(...args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(reason);
  });

  test("a port that is taken ends it with 1 and says what to do", async () => {
    using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const place = ["--home", join(home, "taken"), "--only", "postgres"];
    const { exitCode, stderr } = await servers("up", ...place, "--postgres-port", `${taken.port}`);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`(process ${process.pid})`);
    expect(stderr).toContain("--postgres-port");
  });
});
