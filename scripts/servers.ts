import { resolve } from "node:path";
import { PipelineError } from "../lib/errors.ts";
import { namesFrom, portsFrom } from "../lib/local/arguments.ts";
import { showLogs } from "../lib/local/logs.ts";
import { defaultHome } from "../lib/local/paths.ts";
import { defaultPorts, down, logFiles, type Step, status, up } from "../lib/local/servers.ts";
import { fetchLines, statusTable, stepLine } from "../lib/local/show.ts";
import { run } from "../lib/run.ts";

const command = {
  name: "servers",
  about: "Kafka, Cassandra and PostgreSQL as local processes. Their data stays until --wipe.",
  positionals: "up|down|status|logs [NAME]",
  endless: ({ follow }: { follow?: boolean }) => follow === true,
  options: {
    json: { type: "boolean", about: "up, status: print [{name, pid, port, ready, dataDir}]" },
    only: { type: "string", value: "NAMES", about: "some of kafka,cassandra,postgres" },
    home: { type: "string", value: "DIR", about: "where their data lies (.local)" },
    "kafka-port": { type: "string", value: "N", about: `(${defaultPorts.kafka}; 0: a free one)` },
    "cassandra-port": { type: "string", value: "N", about: `(${defaultPorts.cassandra})` },
    "postgres-port": { type: "string", value: "N", about: `(${defaultPorts.postgres})` },
    wipe: { type: "boolean", about: "down: delete the data too" },
    follow: { type: "boolean", about: "logs: go on with what is added" },
  },
} as const;

await run(command, async ({ options, positionals: [action, name], signal }) => {
  const note = (text: string) => void process.stderr.write(text);
  const print = (text: string) => void process.stdout.write(text);
  const where = { home: resolve(options.home ?? defaultHome), only: namesFrom(options.only) };
  const onStep = (step: Step) => note(stepLine(step));
  switch (action) {
    case "up": {
      const onFetch = fetchLines({ isTerminal: process.stderr.isTTY, write: note });
      const javaHome = Bun.env.JAVA_HOME;
      await up({ ...where, ports: portsFrom(options), javaHome, signal, onStep, onFetch });
      break;
    }
    case "down":
      await down({ ...where, wipe: options.wipe ?? false, onStep });
      return 0;
    case "logs": {
      const names = name === undefined ? where.only : namesFrom(name);
      const files = await Promise.all(names.map((each) => logFiles(each, where.home)));
      await showLogs(files.flat(), { follow: options.follow ?? false, signal, write: print });
      return 0;
    }
    case "status":
      break;
    default:
      throw new PipelineError(
        "usage",
        `servers ${action ?? ""}: expected up, down, status or logs`,
      );
  }
  const list = await status(where);
  print(options.json ? `${JSON.stringify(list)}\n` : statusTable(list));
  return 0;
});
