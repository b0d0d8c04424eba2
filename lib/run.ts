import { parseArgs } from "node:util";
import { type Config, readConfig } from "./config.ts";
import { messageChain, PipelineError } from "./errors.ts";
import { type Log, openLog } from "./log.ts";
import { printable } from "./printable.ts";
import { createProgress, type Progress, type ProgressOptions, screenOf } from "./progress.ts";
import { concealer, secretsOf } from "./secrets.ts";

/** One command line option. Values are text; what they mean is the script's business. */
export interface Option {
  readonly type: "boolean" | "string";
  /** The placeholder in the help text: `--results N`. */
  readonly value?: string;
  readonly about: string;
}

export interface Command<O extends Record<string, Option>> {
  readonly name: string;
  readonly about: string;
  readonly options?: O;
  /** True where only a signal ends it: being stopped is then how it is done, and no failure. */
  readonly endless?: (options: Given<O>) => boolean;
  /** Names of the positional arguments, for the help text; none are taken without it. */
  readonly positionals?: string;
}

export interface Context<O extends Record<string, Option>> {
  readonly config: Config;
  readonly log: Log;
  readonly options: Given<O>;
  readonly positionals: readonly string[];
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Shows how far it has come on the terminal, unless `--quiet` says not to. */
  readonly startProgress: (options: Omit<ProgressOptions, "screen">) => Progress;
}

export type Given<O extends Record<string, Option>> = {
  readonly [K in keyof O]?: O[K]["type"] extends "boolean" ? boolean : string;
};

/** Longer than any one request or close inside: it is there to end a process that hangs. */
const shutdownMs = 45_000;

/**
 * What every script starts with: options, settings, log, signals and exit code.
 * Exit code 0 when `main` returns, 1 when it fails, is stopped before it is done or returns 1, 2 on
 * wrong usage. The first SIGINT or SIGTERM aborts the signal and lets every scope close; the second
 * ends the process at once.
 */
export async function run<O extends Record<string, Option>>(
  command: Command<O>,
  main: (context: Context<O>) => Promise<number | undefined>,
): Promise<never> {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort(new DOMException(`stopped by ${name}`, "AbortError"));
    setTimeout(() => {
      process.stderr.write(`not stopped within ${shutdownMs / 1000} s, ending\n`);
      process.exit(1);
    }, shutdownMs).unref();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  process.exit(await outcome(command, main, stop.signal));
}

async function outcome<O extends Record<string, Option>>(
  command: Command<O>,
  main: (context: Context<O>) => Promise<number | undefined>,
  signal: AbortSignal,
): Promise<number> {
  let endless = false;
  let secrets: readonly string[] = [];
  try {
    const { values, positionals } = given(command);
    endless = command.endless?.(values as Given<O>) ?? false;
    if (values.help === true) {
      process.stdout.write(helpText(command));
      return 0;
    }
    const config = readConfig(Bun.env);
    secrets = secretsOf(config);
    const quiet = values.quiet === true;
    const level = quiet ? quietLevel(config.log.level) : config.log.level;
    const log = openLog({ name: command.name, level, secrets });
    const screen = screenOf(Bun.env, { isTTY: process.stderr.isTTY ?? false, quiet });
    return (
      (await main({
        config,
        log,
        options: values as Given<O>,
        positionals,
        signal,
        startProgress: (options) => createProgress({ ...options, screen }),
      })) ?? 0
    );
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      if (endless) return 0;
      process.stderr.write(`${command.name}: ${signal.reason.message}, not done\n`);
      return 1;
    }
    process.stderr.write(`${command.name}: ${concealer(secrets)(errorText(error))}\n`);
    return error instanceof PipelineError && error.code === "usage" ? 2 : 1;
  }
}

/** Only messages of our own have lines; those that quote others stay on one. */
function errorText(error: unknown): string {
  if (!(error instanceof PipelineError)) {
    return `a bug: ${printable(Bun.inspect(error), { keep: "\n\t" })}`;
  }
  const keep = error.code === "usage" || error.code === "setup" ? "\n" : "";
  return printable(messageChain(error).join(": "), { keep });
}

function given(command: Described) {
  const options = Object.fromEntries(
    Object.entries({ ...command.options, ...common }).map(([name, { type }]) => [name, { type }]),
  );
  try {
    return parseArgs({
      options,
      allowPositionals: command.positionals !== undefined,
    });
  } catch (error) {
    const reason = messageChain(error)[0];
    throw new PipelineError("usage", `${reason}\nTry: bun run ${command.name} --help`);
  }
}

type Described = Omit<Command<Record<string, Option>>, "endless">;

/** Of all commands. */
const common: Readonly<Record<"quiet" | "help", Option>> = {
  quiet: { type: "boolean", about: "no progress, and no logs but warnings and errors" },
  help: { type: "boolean", about: "show this" },
};

function quietLevel(level: Config["log"]["level"]): Config["log"]["level"] {
  return level === "debug" || level === "info" ? "warn" : level;
}

function helpText(command: Described): string {
  const lines = Object.entries({ ...command.options, ...common }).map(
    ([name, { value, about }]) => [`--${name}${value ? ` ${value}` : ""}`, about] as const,
  );
  const width = Math.max(...lines.map(([left]) => left.length)) + 2;
  const usage = ["bun run", command.name, command.positionals, "[options]"].filter(Boolean);
  return [
    command.about,
    "",
    `Usage: ${usage.join(" ")}`,
    "",
    ...lines.map(([left, about]) => `  ${left.padEnd(width)}${about}`),
    "",
  ].join("\n");
}
