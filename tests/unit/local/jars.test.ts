import { describe, expect, test } from "bun:test";
import { classPath, fileName, lockedJars, pomOf } from "../../../lib/local/jars.ts";

describe("the lock file", () => {
  const all = Object.values(lockedJars).flat();

  test("names every jar by group, name, version and classifier, with size and SHA-256", () => {
    const wrong = all.filter(
      (jar) =>
        !/^[\w.-]+:[\w.-]+:[\w.-]+(:[\w-]+)?$/.test(jar.artifact) ||
        !/^[0-9a-f]{64}$/.test(jar.sha256) ||
        !(Number.isInteger(jar.bytes) && jar.bytes > 0),
    );
    expect(wrong).toEqual([]);
  });

  test("holds what the servers start with", () => {
    const files = all.map(fileName);
    expect(files).toContain("kafka_2.13-4.3.1.jar");
    expect(files).toContain("log4j-slf4j-impl-2.25.5.jar");
    expect(files).toContain("cassandra-all-5.0.9.jar");
    expect(files).toContain("jamm-0.4.0.jar");
  });

  test("gives one file name to one content only, since all lie in one folder", () => {
    const contents = new Set(all.map((jar) => `${fileName(jar)} ${jar.sha256}`));
    expect(contents.size).toBe(new Set(all.map(fileName)).size);
  });
});

test("a file is named as Maven names it", () => {
  expect(fileName({ artifact: "io.netty:netty-all:4.1.130.Final" })).toBe(
    "netty-all-4.1.130.Final.jar",
  );
  expect(fileName({ artifact: "com.github.jnr:jffi:1.3.11:native" })).toBe(
    "jffi-1.3.11-native.jar",
  );
});

test("a class path has the jars of one server, in the order of the list", () => {
  const path = classPath("kafka", "/jars").split(":");
  expect(path).toEqual((lockedJars.kafka ?? []).map((jar) => `/jars/${fileName(jar)}`));
});

test("a project asks for its jars and nothing they depend on", () => {
  const pom = pomOf("cassandra", [
    { artifact: "com.github.jnr:jffi:1.3.11:native", bytes: 1, sha256: "" },
  ]);
  expect(pom).toContain("<groupId>com.github.jnr</groupId><artifactId>jffi</artifactId>");
  expect(pom).toContain("<version>1.3.11</version><classifier>native</classifier>");
  expect(pom).toContain("<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>");
});
