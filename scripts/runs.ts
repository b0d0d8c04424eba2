import { republishSelection, runId } from "../lib/arguments.ts";
import { runText } from "../lib/domain/run.ts";
import { PipelineError } from "../lib/errors.ts";
import { republish } from "../lib/flow/republish.ts";
import { createProgress } from "../lib/progress.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { run } from "../lib/run.ts";
import { scheduleCommand, scheduleOptions } from "../lib/schedule/commands.ts";
import { createBackfillDesk, createScheduleDesk } from "../lib/schedule/desk.ts";
import { openProducer } from "../lib/topic/producer.ts";

const command = {
  name: "runs",
  about: "Runs, their schedule and backfills; what is kept, through the topic again.",
  positionals:
    "list|show ID|retry ID|republish|schedule|pause|resume|next|backfill [list|show ID|cancel ID]",
  options: {
    run: { type: "string", value: "N", about: "republish: the rows of this run" },
    from: { type: "string", value: "T", about: "republish, backfill: from this time on" },
    to: { type: "string", value: "T", about: "republish, backfill: and before this one" },
    "dry-run": { type: "boolean", about: "republish, backfill: only count or list" },
    ...scheduleOptions,
    json: { type: "boolean", about: "print JSON" },
  },
} as const;

await run(command, async ({ config, log, options, positionals, signal }) => {
  const [action, id] = positionals;
  const print = (data: object, text: string) =>
    void process.stdout.write(options.json ? `${JSON.stringify(data)}\n` : text);
  const open = () => openRawStore(config.raw, { log, signal });
  const scheduled = scheduleCommand(positionals, options, config.runs);
  if (scheduled) {
    await using raw = await open();
    const schedule = createScheduleDesk(raw.schedule);
    const backfills = createBackfillDesk(raw.backfills, raw.schedule);
    const { data, text } = await scheduled({ schedule, backfills });
    print(data, text);
    return 0;
  }
  switch (action) {
    case "list": {
      await using raw = await open();
      const runs = await raw.runs.list({ limit: 25 });
      print(runs, runs.map(runText).join(""));
      return 0;
    }
    case "show":
    case "retry": {
      const number = runId(id);
      await using raw = await open();
      const found = action === "show" ? await raw.runs.get(number) : await raw.runs.retry(number);
      if (!found) throw new PipelineError("refused", `there is no run ${number}`);
      print(found, runText(found));
      return 0;
    }
    case "republish": {
      const selection = republishSelection(options);
      await using raw = await open();
      const { rows } = await raw.kept.count(selection);
      if (!options["dry-run"] && rows > 0) {
        await using topic = await openProducer(config.topic, { log, signal });
        using progress = createProgress({ label: "republish", unit: "users", total: rows });
        const stations = { kept: raw.kept, outbox: raw.outbox, topic };
        await republish(selection, stations, { log, signal, onProgress: progress.show });
      }
      const done = options["dry-run"] ? "to republish" : "republished";
      print({ rows, dryRun: options["dry-run"] ?? false }, `${rows} rows ${done}\n`);
      return 0;
    }
  }
  throw new PipelineError("usage", `runs: expected ${command.positionals}`);
});
