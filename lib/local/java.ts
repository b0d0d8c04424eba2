import { mkdir, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PipelineError } from "../errors.ts";
import { archivesDir } from "./paths.ts";

export interface Java {
  readonly bin: string;
  /** As its `release` file says: "17.0.15". */
  readonly version: string;
}

/** Cassandra 5.0 runs on Java 11 and 17, Kafka 4 needs 17 or later: one that both run on. */
const neededVersion = 17;

/**
 * Looks in `javaHome`, on the path and where Debian, Fedora and macOS put their JDKs. Reads the
 * `release` file that comes with every JDK and JRE, which takes no JVM start. Fails with "setup"
 * when none is right.
 */
export async function findJava(javaHome?: string): Promise<Java> {
  const seen: string[] = [];
  for await (const bin of candidates(javaHome)) {
    const version = await versionOf(bin);
    if (version === undefined) continue;
    if (Number.parseInt(version, 10) === neededVersion) return { bin, version };
    seen.push(`${bin} is ${version}`);
  }
  const found = seen.length > 0 ? ` (${[...new Set(seen)].join(", ")})` : "";
  throw new PipelineError(
    "setup",
    `Java ${neededVersion} is missing${found}; Kafka and Cassandra run on it. ` +
      "On Debian 12 or Ubuntu: apt-get install openjdk-17-jre-headless. " +
      "Elsewhere install a JDK 17 and set JAVA_HOME",
  );
}

export interface JavaProgram {
  readonly java: Java;
  readonly classPath: string;
  readonly heap: string;
  /** For the native libraries that jars unpack at each start; emptied before one. */
  readonly tmpDir: string;
  readonly flags: readonly string[];
  readonly main: string;
  readonly args: readonly string[];
}

/** A class archive that the JVM writes when it ends, and where it belongs once it is whole. */
export interface PendingArchive {
  readonly written: string;
  readonly final: string;
}

/**
 * The command line of a server. Its classes come from an archive (AppCDS) of an earlier run when
 * there is one for this Java and these jars: Cassandra then starts in two thirds of the time. Else
 * the JVM writes one as it ends, which delays no start; `keepArchive` puts it in place.
 */
export async function javaCommand(
  program: JavaProgram,
  dir = archivesDir,
): Promise<{ command: readonly string[]; archive?: PendingArchive }> {
  const { java, classPath, heap, tmpDir, flags, main, args } = program;
  await rm(tmpDir, { recursive: true, force: true });
  await mkdir(tmpDir, { recursive: true });
  const key = new Bun.CryptoHasher("sha256")
    .update([java.bin, java.version, classPath, ...flags.filter((f) => !f.startsWith("-D"))].join())
    .digest("hex")
    .slice(0, 16);
  const final = join(dir, `${main}-${key}.jsa`);
  const exists = await stat(final).then(
    () => true,
    () => false,
  );
  const written = `${final}.${process.pid}-${performance.now().toFixed(0)}`;
  if (!exists) await mkdir(dir, { recursive: true });
  const command = [
    java.bin,
    `-Xmx${heap}`,
    // One core is enough for a collection this small, and the collector's own memory is the least.
    "-XX:+UseSerialGC",
    // A file in /tmp that a killed JVM would leave there.
    "-XX:-UsePerfData",
    `-Djava.io.tmpdir=${tmpDir}`,
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:+AllowArchivingWithJavaAgent",
    `-XX:${exists ? "SharedArchiveFile" : "ArchiveClassesAtExit"}=${exists ? final : written}`,
    "-Xlog:cds=error,cds+dynamic=error,class+path=off",
    "-Xshare:auto",
    ...flags,
    "-cp",
    classPath,
    main,
    ...args,
  ];
  return exists ? { command } : { command, archive: { written, final } };
}

/** To be called once the JVM has ended by itself: only then is the archive whole. */
export async function keepArchive({ written, final }: PendingArchive): Promise<void> {
  await rename(written, final).catch(() => {});
}

async function* candidates(javaHome?: string): AsyncGenerator<string> {
  if (javaHome) yield join(javaHome, "bin/java");
  const onPath = Bun.which("java");
  if (onPath) yield onPath;
  for (const [root, inner] of [
    ["/usr/lib/jvm", "bin/java"],
    ["/Library/Java/JavaVirtualMachines", "Contents/Home/bin/java"],
  ] as const) {
    for (const name of (await readdir(root).catch(() => [])).sort()) yield join(root, name, inner);
  }
}

async function versionOf(bin: string): Promise<string | undefined> {
  try {
    const home = dirname(dirname(await realpath(bin)));
    const release = await Bun.file(join(home, "release")).text();
    return /^JAVA_VERSION="([^"]+)"/m.exec(release)?.[1];
  } catch {
    return undefined;
  }
}
