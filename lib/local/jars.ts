import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { messageChain, PipelineError } from "../errors.ts";
import { sleep } from "../sleep.ts";
import lock from "./jars.lock.json";
import { jarsDir } from "./paths.ts";

/** `artifact` is `group:name:version[:classifier]`. */
export interface Jar {
  readonly artifact: string;
  readonly bytes: number;
  readonly sha256: string;
}

export type JarList = Readonly<Record<string, readonly Jar[]>>;

export interface JarProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface JarOptions {
  readonly dir?: string;
  readonly lists?: JarList;
  /**
   * Maven's settings.xml; by default the one it finds itself, so mirrors and proxies set there
   * count.
   */
  readonly settings?: string;
  readonly attempts?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: JarProgress) => void;
}

/** What Kafka and Cassandra consist of, as Maven resolved it when their versions were chosen. */
export const lockedJars: JarList = lock;

/** The class path of one server, in the lock file's order: a class archive is bound to it. */
export function classPath(server: "kafka" | "cassandra", dir = jarsDir): string {
  return lock[server].map((jar) => join(dir, fileName(jar))).join(":");
}

/**
 * Brings the jars of all lists into `dir` with Maven, each checked against its SHA-256 before it
 * gets its name there. What is there and unchanged since it was checked is not fetched again. Fails
 * with "setup" where Maven is missing, with "unavailable" when the repository cannot be reached.
 */
export async function fetchJars(options: JarOptions = {}): Promise<void> {
  const { dir = jarsDir, lists = lockedJars, attempts = 3, signal } = options;
  await mkdir(dir, { recursive: true });
  for (let attempt = 1; ; attempt++) {
    const missing = await missingJars(dir, lists);
    if (Object.keys(missing).length === 0) return;
    try {
      // A second try gets a repository of its own: a damaged file in the shared one would come
      // again.
      await fetchWithMaven(dir, missing, { ...options, freshRepository: attempt > 1 });
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PipelineError && error.retryable) || attempt >= attempts) throw error;
      await sleep(1000 * attempt, signal);
    }
  }
}

/** The jars that are not in `dir`, or no longer as they were when they were checked. */
export async function missingJars(dir = jarsDir, lists: JarList = lockedJars): Promise<JarList> {
  const checked = await readChecked(dir);
  const present = new Set<string>();
  for (const file of await readdir(dir).catch(() => [])) {
    if (file.endsWith(".jar") && checked[file] === (await stamp(join(dir, file)))) {
      present.add(file);
    }
  }
  const missing: Record<string, readonly Jar[]> = {};
  for (const [name, jars] of Object.entries(lists)) {
    const absent = jars.filter((jar) => !present.has(fileName(jar)));
    if (absent.length > 0) missing[name] = absent;
  }
  return missing;
}

/** `group:name:version[:classifier]` as Maven names the file. */
export function fileName({ artifact }: Pick<Jar, "artifact">): string {
  const [, name, version, classifier] = artifact.split(":");
  return `${name}-${version}${classifier ? `-${classifier}` : ""}.jar`;
}

/** A project that depends on exactly these jars and nothing they depend on. */
export function pomOf(name: string, jars: readonly Jar[]): string {
  const dependencies = jars.map(({ artifact }) => {
    const [group, id, version, classifier] = artifact.split(":");
    return [
      "<dependency>",
      `<groupId>${group}</groupId><artifactId>${id}</artifactId><version>${version}</version>`,
      classifier ? `<classifier>${classifier}</classifier>` : "",
      "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>",
      "</dependency>",
    ].join("");
  });
  return pom(name, `<dependencies>\n${dependencies.join("\n")}\n</dependencies>`);
}

const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

async function fetchWithMaven(
  dir: string,
  missing: JarList,
  options: JarOptions & { freshRepository: boolean },
): Promise<void> {
  const work = await mkdtemp(join(dir, "fetching-"));
  try {
    const names = Object.keys(missing);
    const modules = names.map((name) => `<module>${name}</module>`).join("");
    // Java takes the home of the account, whatever HOME says; a space would end the option.
    if (!/\s/.test(homedir())) {
      await Bun.write(join(work, ".mvn/jvm.config"), `-Duser.home=${homedir()}\n`);
    }
    await Bun.write(join(work, "pom.xml"), pom("all", `<modules>${modules}</modules>`));
    for (const [name, jars] of Object.entries(missing)) {
      await Bun.write(join(work, name, "pom.xml"), pomOf(name, jars));
    }
    await runMaven(work, Object.values(missing).flat(), options);
    await takeOver(work, dir, missing);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function runMaven(
  work: string,
  jars: readonly Jar[],
  { settings, signal, onProgress, freshRepository }: JarOptions & { freshRepository: boolean },
): Promise<void> {
  const maven = Bun.which("mvn");
  if (maven === null) {
    throw new PipelineError(
      "setup",
      "Maven (mvn) is missing; it fetches Kafka and Cassandra. On Debian or Ubuntu: apt-get install maven",
    );
  }
  const command = [maven, "-B", "-T", "2", "-Dstyle.color=never", "-DoutputDirectory=jars"];
  if (settings) command.push("-s", settings);
  if (freshRepository) command.push(`-Dmaven.repo.local=${join(work, "repository")}`);
  const child = Bun.spawn([...command, copyGoal], {
    cwd: work,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(signal ? { signal } : {}),
  });
  const errors = new Response(child.stderr).text();
  const reasons = await readOutput(child.stdout, jars, onProgress);
  signal?.throwIfAborted();
  if ((await child.exited) !== 0) {
    const reason = reasons[0] ?? (await errors).trim();
    throw new PipelineError("unavailable", `Maven could not fetch the servers' jars: ${reason}`);
  }
  const totalBytes = bytesOf(jars);
  onProgress?.({ bytes: totalBytes, totalBytes });
}

/** Reports each jar that Maven says it has downloaded; resolves with what it says went wrong. */
async function readOutput(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  jars: readonly Jar[],
  onProgress: JarOptions["onProgress"],
): Promise<string[]> {
  const sizes = new Map(jars.map((jar) => [fileName(jar), jar.bytes]));
  const totalBytes = bytesOf(jars);
  const errors: string[] = [];
  let bytes = 0;
  let rest = "";
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("[ERROR] ")) errors.push(line.slice("[ERROR] ".length));
      const file = /\bDownloaded from .*\/([^/ ]+\.jar) \(/.exec(line)?.[1] ?? "";
      const size = sizes.get(file);
      if (size === undefined) continue;
      bytes += size;
      onProgress?.({ bytes, totalBytes });
    }
  }
  return errors;
}

function bytesOf(jars: readonly Jar[]): number {
  return jars.reduce((sum, jar) => sum + jar.bytes, 0);
}

/** Checks what Maven brought and moves it to its place: the whole of a file, or nothing. */
async function takeOver(work: string, dir: string, missing: JarList): Promise<void> {
  const wrong: string[] = [];
  const checked = { ...(await readChecked(dir)) };
  for (const [name, jars] of Object.entries(missing)) {
    for (const jar of jars) {
      const from = join(work, name, "jars", fileName(jar));
      if ((await sha256(from)) !== jar.sha256) {
        wrong.push(fileName(jar));
        continue;
      }
      const to = join(dir, fileName(jar));
      await rename(from, to);
      checked[fileName(jar)] = await stamp(to);
    }
  }
  await Bun.write(join(work, "checked.json"), JSON.stringify(checked));
  await rename(join(work, "checked.json"), join(dir, "checked.json"));
  if (wrong.length > 0) {
    throw new PipelineError(
      "bad_response",
      `fetched, but not what lib/local/jars.lock.json says (SHA-256): ${wrong.join(", ")}`,
    );
  }
}

/** File name -> size and time of the file when its SHA-256 was last right. */
async function readChecked(dir: string): Promise<Readonly<Record<string, string>>> {
  try {
    return await Bun.file(join(dir, "checked.json")).json();
  } catch {
    return {};
  }
}

async function stamp(file: string): Promise<string> {
  const { size, mtimeMs } = await stat(file);
  return `${size} ${mtimeMs}`;
}

async function sha256(file: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  try {
    for await (const chunk of Bun.file(file).stream()) hash.update(chunk);
  } catch (error) {
    return `unreadable: ${messageChain(error)[0]}`;
  }
  return hash.digest("hex");
}

function pom(name: string, body: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>
${body}
</project>
`;
}
