import { cpus } from "node:os";
import { stepLine } from "../lib/local/show.ts";
import { run } from "../lib/run.ts";
import { measure, roundsFrom, stageNames, stagesFrom } from "../tests/bench/bench.ts";
import { openPlaces } from "../tests/bench/places.ts";
import { buildPrograms } from "../tests/bench/programs.ts";
import { full, normal, quick } from "../tests/bench/stage.ts";
import { tableText } from "../tests/bench/table.ts";

const command = {
  name: "bench",
  about: "Every stage against its limit on the same servers, in turn, and whether targets are met.",
  options: {
    quick: { type: "boolean", about: "small sizes: minutes, and figures of little weight" },
    full: { type: "boolean", about: "growth up to 5 million users" },
    only: { type: "string", value: "STAGES", about: `some of ${stageNames}` },
    rounds: { type: "string", value: "N", about: "how often each side is measured (3)" },
    servers: { type: "boolean", about: "use the configured servers, not some of its own" },
    json: { type: "boolean", about: "print the rows as JSON" },
  },
} as const;

await run(command, async ({ config, options, signal, startProgress }) => {
  const stages = stagesFrom(options.only);
  const note = (text: string) => void process.stderr.write(text);
  const programs = await buildPrograms((line) => note(`${line}\n`));
  await using places = await openPlaces({
    configured: options.servers ? config : undefined,
    signal,
    onStep: (step) => note(stepLine(step)),
  });
  const measuring = {
    ...places,
    sizes: options.quick ? quick : options.full ? full : normal,
    programs,
    rounds: roundsFrom(options.rounds),
  };
  const total = stages.reduce((sum, stage) => sum + stage.steps(measuring), 0);
  using progress = startProgress({ label: "bench", unit: "steps", total });
  let done = 0;
  const step = (what: string) => progress.show(done++, what);
  const rows = await measure(stages, { ...measuring, signal, step });
  const { length: cores, 0: core } = cpus();
  const machine = { cores, cpu: core?.model ?? "", date: new Date().toISOString().slice(0, 10) };
  const print = (text: string) => void process.stdout.write(text);
  if (options.json) print(`${JSON.stringify({ machine, rows })}\n`);
  else print(`${tableText(rows)}\n${machine.cores} × ${machine.cpu}, ${machine.date}\n`);
  return 0;
});
