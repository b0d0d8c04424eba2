import { PipelineError } from "../errors.ts";
import type { ServerName } from "./server.ts";
import { serverNames } from "./servers.ts";

/** "kafka,postgres" in any order; all of them when not given. Fails with "usage". */
export function namesFrom(text: string | undefined): readonly ServerName[] {
  if (text === undefined) return serverNames;
  const parts = text.split(",");
  const names = serverNames.filter((name) => parts.includes(name));
  if (names.length === parts.length) return names;
  throw usage(`"${text}": expected some of ${serverNames.join(",")}`);
}

/** The ports given on the command line as `--kafka-port 9092` and the like. Fails with "usage". */
export function portsFrom(
  options: Readonly<Record<string, string | boolean | undefined>>,
): Partial<Record<ServerName, number>> {
  const ports: Partial<Record<ServerName, number>> = {};
  for (const name of serverNames) {
    const text = options[`${name}-port`];
    if (text === undefined) continue;
    if (!/^\d{1,5}$/.test(String(text)) || Number(text) > 65_535) {
      throw usage(`--${name}-port ${text}: expected a number from 0 to 65535`);
    }
    ports[name] = Number(text);
  }
  return ports;
}

function usage(message: string): PipelineError {
  return new PipelineError("usage", `${message}\nTry: bun run servers --help`);
}
