import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectDir } from "../../../lib/local/paths.ts";
import {
  endProcess,
  isRunning,
  spawnDetached,
  startedAt,
  withLock,
} from "../../../lib/local/process.ts";
import { failureOf } from "../../failure.ts";
import { until } from "../../until.ts";

setDefaultTimeout(120_000);

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "test-process-"));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const spawn = (script: string) =>
  spawnDetached({ command: ["sh", "-c", script], cwd: dir, logFile: join(dir, "out.log") });

describe("ending a process", () => {
  test("asks it to end and waits until it has", async () => {
    const child = await spawn("exec sleep 600");
    expect(await endProcess(child, { signal: "SIGTERM", graceMs: 60_000 })).toBe(true);
    expect(await isRunning(child)).toBe(false);
  });

  test("kills one that does not listen, after the grace time", async () => {
    const child = await spawn("trap '' TERM; echo deaf; while :; do sleep 600; done");
    await until(async () => (await Bun.file(join(dir, "out.log")).text()).includes("deaf"));
    expect(await endProcess(child, { signal: "SIGTERM", graceMs: 200 })).toBe(false);
    expect(await isRunning(child)).toBe(false);
  });

  test("leaves another process with the same pid alone", async () => {
    const child = await spawn("exec sleep 600");
    const earlier = { pid: child.pid, started: "1" };
    expect(await isRunning(earlier)).toBe(false);
    expect(await endProcess(earlier, { signal: "SIGTERM", graceMs: 0 })).toBe(true);
    expect(await isRunning(child)).toBe(true);
    await endProcess(child, { signal: "SIGTERM", graceMs: 60_000 });
  });
});

test("a process is in a session of its own, so that it outlives the shell and hears no Ctrl-C", async () => {
  const child = await spawn("exec sleep 600");
  const { stdout } = Bun.spawnSync(["ps", "-o", "sid=", "-p", String(child.pid)]);
  expect(Number(stdout.toString())).toBe(child.pid);
  await endProcess(child, { signal: "SIGTERM", graceMs: 60_000 });
});

test("no process has the pid of one that has ended", async () => {
  const child = Bun.spawn(["true"]);
  await child.exited;
  expect(await startedAt(child.pid)).toBeUndefined();
});

describe("a lock", () => {
  const holding = `
    const { withLock } = await import(${JSON.stringify(join(projectDir, "lib/local/process.ts"))});
    await withLock(process.argv[1], { waitMs: 0 }, async () => {
      console.log("held");
      await new Promise((resolve) => process.stdin.on("data", resolve));
    });`;

  test("lets one work at a time", async () => {
    const file = join(dir, "one.lock");
    const order: string[] = [];
    let finish: () => void = () => {};
    const first = withLock(file, { waitMs: 0 }, async () => {
      order.push("first starts");
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      order.push("first ends");
    });
    await until(() => order.length > 0);
    const second = withLock(file, { waitMs: 60_000 }, async () => void order.push("second"));
    finish();
    await Promise.all([first, second]);
    expect(order).toEqual(["first starts", "first ends", "second"]);
  });

  test("of a process that was killed is open", async () => {
    const file = join(dir, "killed.lock");
    const holder = Bun.spawn([process.execPath, "-e", holding, file], {
      stdin: "pipe",
      stdout: "pipe",
    });
    for await (const _ of holder.stdout) break;
    expect((await failureOf(withLock(file, { waitMs: 0 }, async () => {}))).message).toContain(
      file,
    );
    holder.kill("SIGKILL");
    await holder.exited;
    expect(await withLock(file, { waitMs: 0 }, async () => "worked")).toBe("worked");
  });

  test("is open again after work that failed", async () => {
    const file = join(dir, "failed.lock");
    await failureOf(withLock(file, { waitMs: 0 }, () => Promise.reject(new Error("no"))));
    expect(await withLock(file, { waitMs: 0 }, async () => "worked")).toBe("worked");
  });
});
