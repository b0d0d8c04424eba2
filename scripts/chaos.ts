import { PipelineError } from "../lib/errors.ts";
import { run } from "../lib/run.ts";
import { chaos } from "../tests/chaos/chaos.ts";
import { planOf } from "../tests/chaos/plan.ts";
import { reportText } from "../tests/chaos/report.ts";

const command = {
  name: "chaos",
  about: [
    "The long fault test, on servers of its own: a steady load, and faults of every kind drawn by",
    "the seed: processes and servers killed and frozen, links broken, an ill API, poison records.",
    "Then everything is made whole, and the stations are compared. It starts all that it needs.",
  ].join("\n"),
  options: {
    seed: { type: "string", value: "S", about: "the same seed draws the same faults (1)" },
    minutes: { type: "string", value: "M", about: "how long faults are made (10)" },
    plan: { type: "boolean", about: "only print which faults are drawn" },
    json: { type: "boolean", about: "print the report as JSON" },
  },
} as const;

await run(command, async ({ options, signal, startProgress }) => {
  const { seed = "1", json = false } = options;
  const minutes = Number(options.minutes ?? "10");
  if (!(minutes >= 0.1 && minutes <= 1440)) {
    throw new PipelineError("usage", `--minutes ${options.minutes}: expected 0.1 to 1440`);
  }
  if (options.plan) {
    const plan = planOf({ seed, minutes });
    const lines = plan.map(
      ({ at, kind, target, seconds }) => `${at} s: ${kind} on ${target}, ${seconds} s`,
    );
    process.stdout.write(json ? `${JSON.stringify(plan)}\n` : `${lines.join("\n")}\n`);
    return 0;
  }
  using progress = startProgress({ label: "chaos", unit: "records" });
  const report = await chaos({
    ...{ seed, minutes, signal },
    say: (line) => void process.stderr.write(`${line}\n`),
    onProgress: (records, seconds) =>
      progress.show(records, `${Math.round(seconds)} of ${60 * minutes} s`),
  });
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : reportText(report));
  return report.clean ? 0 : 1;
});
