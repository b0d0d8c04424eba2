import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fetchJars, fileName, type Jar, lockedJars, missingJars } from "../../../lib/local/jars.ts";
import { failureOf } from "../../failure.ts";

setDefaultTimeout(240_000);

/*
 * Maven fetches from a server of this test, which has what the machine's own Maven repository has. The two jars
 * come into that by preparing the machine, and Maven's plugin with them.
 */
const machineRepository = join(homedir(), ".m2/repository");
const jars = (lockedJars.cassandra ?? [])
  .filter(({ artifact }) => /:(jbcrypt|javax\.inject):/.test(artifact))
  .map((jar) => ({ ...jar, file: fileName(jar) }));
const [first = { file: "" }, second = { file: "" }] = jars;

let base: string;
let mirror: Bun.Server<undefined>;
/** Paths that were asked for; what `broken` answers instead of the file. */
const asked: string[] = [];
let broken: ((path: string) => Response | undefined) | undefined;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "test-jars-"));
  mirror = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const path = new URL(request.url).pathname;
      asked.push(path);
      const instead = broken?.(path);
      if (instead) return instead;
      const file = Bun.file(join(machineRepository, path));
      return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
    },
  });
  await setUpMachine();
});

afterAll(async () => {
  await mirror.stop(true);
  await rm(base, { recursive: true, force: true });
});

describe("jars", () => {
  test("are fetched whole, each as the lock file says", async () => {
    const { options, dir } = await place();
    await fetchJars(options);
    for (const { file, bytes } of jars) expect((await stat(join(dir, file))).size).toBe(bytes);
    expect((await readdir(dir)).sort()).toEqual(["checked.json", first.file, second.file].sort());
  });

  test("that are there are not fetched again", async () => {
    const { options } = await place();
    await fetchJars(options);
    asked.length = 0;
    await fetchJars(options);
    expect(asked).toEqual([]);
  });

  test("that were damaged, cut or deleted are fetched again, the others are not", async () => {
    for (const damage of [
      (file: string) => Bun.write(file, "not a jar"),
      (file: string) => truncate(file, 100),
      (file: string) => rm(file),
    ]) {
      const { options, dir, lists } = await place();
      await fetchJars(options);
      const other = await stat(join(dir, second.file));
      await damage(join(dir, first.file));
      expect(await missingJars(dir, lists)).toEqual({ cassandra: [lists.cassandra[0] as Jar] });
      await fetchJars(options);
      expect(await missingJars(dir, lists)).toEqual({});
      expect((await stat(join(dir, second.file))).ino).toBe(other.ino);
    }
  });

  test("with another content than the lock file says do not get their name", async () => {
    const { options, dir, lists } = await place();
    const [jar] = lists.cassandra;
    const wrong = { cassandra: [{ ...(jar as Jar), sha256: "0".repeat(64) }] };
    const error = await failureOf(fetchJars({ ...options, lists: wrong, attempts: 1 }));
    expect(error).toMatchObject({ code: "bad_response" });
    expect(error.message).toContain(first.file);
    expect(await readdir(dir)).not.toContain(first.file);
  });

  test("are asked for again after a passing error", async () => {
    const { options, dir, lists } = await place();
    let refusals = 0;
    broken = (path) => {
      if (!path.endsWith(first.file) || refusals > 0) return undefined;
      refusals++;
      return new Response("busy", { status: 503 });
    };
    await fetchJars({ ...options, attempts: 2 });
    broken = undefined;
    expect(refusals).toBe(1);
    expect(await missingJars(dir, lists)).toEqual({});
  });

  test("that cannot be had fail after the attempts allowed, with Maven's reason, and leave nothing", async () => {
    const { options, dir } = await place();
    broken = (path) => (path.endsWith(".jar") ? new Response("", { status: 503 }) : undefined);
    const error = await failureOf(fetchJars({ ...options, attempts: 1 }));
    broken = undefined;
    expect(error).toMatchObject({ code: "unavailable" });
    expect(error.message).toContain("Maven could not fetch the servers' jars");
    expect(await readdir(dir)).toEqual([]);
  });

  test("say how far they have come, up to all of it", async () => {
    const { options } = await place();
    const shares: number[] = [];
    await fetchJars({
      ...options,
      onProgress: ({ bytes, totalBytes }) => shares.push(bytes / totalBytes),
    });
    expect(shares.length).toBeGreaterThan(1);
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });
});

/** An empty folder, and a Maven that knows the mirror alone and has its plugin, but none of the jars. */
async function place() {
  const dir = await mkdtemp(join(base, "jars-"));
  const repository = join(base, "repository");
  const settings = join(base, "settings.xml");
  for (const { artifact } of jars) {
    const group = artifact.split(":")[0] ?? "";
    await rm(join(repository, ...group.split(".")), { recursive: true, force: true });
  }
  const lists = {
    cassandra: jars.map(({ artifact, bytes, sha256 }) => ({ artifact, bytes, sha256 })),
  };
  await Bun.write(
    settings,
    `<settings><localRepository>${repository}</localRepository><mirrors><mirror>
<id>mirror</id><mirrorOf>*</mirrorOf><url>http://127.0.0.1:${mirror.port}</url>
</mirror></mirrors></settings>`,
  );
  return { dir, lists, options: { dir, lists, settings } };
}

/** Has the machine's Maven repository hold the plugin and both jars, as a first `prepare` does. */
async function setUpMachine(): Promise<void> {
  const lists = { cassandra: jars };
  await fetchJars({ dir: await mkdtemp(join(base, "machine-")), lists });
}
