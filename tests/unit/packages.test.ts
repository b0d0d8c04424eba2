import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import packageJson from "../../package.json";

const lock = await Bun.file(join(import.meta.dir, "../../bun.lock")).text();
const { dependencies, devDependencies, optionalDependencies } = packageJson;
const wanted = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies });

describe("packages", () => {
  test.each(wanted)("%s is pinned to one version, which the lock file has", (name, version) => {
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    expect(lock).toContain(`["${name}@${version}"`);
  });

  test("come from the registry, each with the digest of its content", () => {
    const entries = [...lock.matchAll(/^ {4}"[^"]+": \[(.*)\],$/gm)].map(([, entry = ""]) => entry);
    expect(entries.length).toBeGreaterThan(wanted.length);
    for (const entry of entries) {
      expect(entry).toMatch(/"sha512-[A-Za-z0-9+/]{86}=="$/);
      expect(entry).not.toMatch(/git\+|github:|file:|link:|https?:/);
    }
  });

  test("run no scripts of their own when they are installed", () => {
    // Bun runs those of `trustedDependencies` alone, once the field is there; else of a list of its own.
    expect(packageJson).toHaveProperty("trustedDependencies", []);
  });
});
