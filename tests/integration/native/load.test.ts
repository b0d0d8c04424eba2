import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildNative, missingBuildTools, parseFeatures } from "../../../lib/native/build.ts";
import { addonPath, checkAddon, loadKafkaClient } from "../../../lib/native/load.ts";
import { failureOf } from "../../kafka-clients.ts";

setDefaultTimeout(180_000);

let dir: string;
let copy: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "native-load-"));
  copy = join(dir, "addon.node");
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("loading", () => {
  test("gives both interfaces of the client, the same each time", async () => {
    const client = await loadKafkaClient();
    expect(client.librdkafkaVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(typeof client.KafkaJS.Kafka).toBe("function");
    expect(await loadKafkaClient()).toBe(client);
  });

  test("with everything librdkafka can do without libcurl and libsasl2", async () => {
    const { features } = await loadKafkaClient();
    for (const feature of ["ssl", "sasl_plain", "sasl_scram", "sasl_oauthbearer", "lz4", "zstd"]) {
      expect(features).toContain(feature);
    }
  });

  test("says what is wrong with a missing, cut, foreign or wrong file, and what to do", async () => {
    const told = async () => (await failureOf(() => checkAddon(copy))).message;
    expect(await told()).toMatch(/is not built.*bun lib\/native\/build\.ts/);
    await copyFile(addonPath, copy);
    checkAddon(copy);
    for (const bytes of [9_000_000, 1_000_000, 64, 10, 0]) {
      await truncate(copy, bytes);
      expect(await told()).toMatch(/cut short|not a library/);
    }
    await copyFile(addonPath, copy);
    const file = await Bun.file(copy).bytes();
    file[18] = 21; // EM_PPC64
    await writeFile(copy, file);
    expect(await told()).toContain("not for this machine");
    await writeFile(copy, "#!/bin/sh\n".repeat(100));
    expect(await told()).toContain("not a library");
  });
});

describe("building", () => {
  test("does nothing when the addon is in its place, and restores one that was cut", async () => {
    expect(await buildNative()).toBe("cached");
    expect(await buildNative({ target: copy })).toBe("cached");
    await truncate(copy, 1000);
    expect(await buildNative({ target: copy })).toBe("cached");
    checkAddon(copy);
  });

  test("names what is missing and the command that installs it, and the installation goes on", async () => {
    const cache = join(dir, "cache");
    const build = Bun.spawn([process.execPath, "lib/native/build.ts"], {
      env: { PATH: dir, KAFKA_NATIVE_CACHE: cache },
      stderr: "pipe",
      cwd: join(import.meta.dir, "../../.."),
    });
    const told = await new Response(build.stderr).text();
    expect(await build.exited).toBe(0);
    expect(told).toContain("apt-get install -y g++ make libssl-dev libzstd-dev zlib1g-dev");
    expect(told.trim().split("\n").length).toBeLessThan(5);
  });

  test("knows which packages its features need", () => {
    expect(missingBuildTools()).toEqual([]);
    expect(parseFeatures(" oidc, gssapi")).toEqual(["oidc", "gssapi"]);
    expect(parseFeatures("")).toEqual([]);
    expect(() => parseFeatures("kerberos")).toThrow("no such feature: kerberos");
  });
});
