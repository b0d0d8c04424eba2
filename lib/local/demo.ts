import { resolve } from "node:path";
import { PipelineError } from "../errors.ts";
import { startFakeApi } from "./fake-api/server.ts";

export interface Demo extends AsyncDisposable {
  /** Runs one of the project's commands as a person would, showing its line and its output. */
  bun(...command: readonly string[]): Promise<void>;
  /** True when no other servers are configured, so that local ones are to be used. */
  readonly local: boolean;
  say(text: string): void;
}

export interface DemoOptions {
  /** The API to ask first. */
  readonly sourceUrl: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** How long the real API may take to answer before the stand-in takes its place. */
const answerMs = 10_000;
const project = resolve(import.meta.dir, "../..");
const serverSettings = ["DATABASE_URL", "KAFKA_BROKERS", "CASSANDRA_CONTACT_POINTS"];

/** Looks whether the API answers, and starts the offline stand-in, saying so, when it does not. */
export async function openDemo({ sourceUrl, env, signal }: DemoOptions): Promise<Demo> {
  await using opening = new AsyncDisposableStack();
  const say = (text: string) => void process.stdout.write(`\n${text}\n`);
  const reason = await whyNoAnswer(sourceUrl, signal);
  let apiUrl = sourceUrl;
  if (reason === undefined) {
    say(`# ${new URL(sourceUrl).host} answers: these are its users`);
  } else {
    apiUrl = opening.use(startFakeApi()).url;
    say(
      `# ${new URL(sourceUrl).host} does not answer (${reason}): the offline stand-in takes its place`,
    );
  }
  const owned = opening.move();
  return {
    say,
    local: serverSettings.every((name) => !env[name]),
    bun: async (name, ...rest) => {
      say(`$ bun run ${[name, ...rest].join(" ")}`);
      const child = Bun.spawn([process.execPath, "run", `scripts/${name}.ts`, ...rest], {
        cwd: project,
        env: { ...env, SOURCE_URL: apiUrl, LOG_LEVEL: env.LOG_LEVEL ?? "warn" },
        stdio: ["ignore", "inherit", "inherit"],
        signal,
        killSignal: "SIGTERM",
      });
      const code = await child.exited;
      signal.throwIfAborted();
      if (code !== 0) throw new PipelineError("refused", `bun run ${name} ended with ${code}`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Undefined when the API answers a request for one user. */
async function whyNoAnswer(sourceUrl: string, signal: AbortSignal): Promise<string | undefined> {
  const url = new URL(sourceUrl);
  url.searchParams.set("results", "1");
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    if (!answer.ok) return `status ${answer.status}`;
    const body: unknown = await answer.json();
    return typeof body === "object" && body !== null && "results" in body ? undefined : "no users";
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  }
}
