import { republishSelection } from "../lib/arguments.ts";
import { PipelineError } from "../lib/errors.ts";
import { prune } from "../lib/flow/prune.ts";
import { republish } from "../lib/flow/republish.ts";
import { tracedPublisher } from "../lib/flow/traced-records.ts";
import { tracedStore } from "../lib/flow/traced-runs.ts";
import { print } from "../lib/print.ts";
import { jsonLine } from "../lib/printable.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { run } from "../lib/run.ts";
import { keepDays, runCommand, runOptions } from "../lib/run-commands.ts";
import { scheduleCommand, scheduleOptions } from "../lib/schedule/commands.ts";
import { createBackfillDesk, createScheduleDesk } from "../lib/schedule/desk.ts";
import { openProducer } from "../lib/topic/producer.ts";
import { openReader } from "../lib/topic/reader.ts";
import { openTracing } from "../lib/tracing.ts";

const command = {
  name: "runs",
  about: "Runs and their logs, their schedule and backfills; what is kept, sent again or removed.",
  positionals:
    "list|show ID|logs ID|trigger|retry ID|cancel ID|schedule|pause|resume|next|backfill [list|show ID|cancel ID]|republish|prune",
  options: { ...scheduleOptions, ...runOptions },
} as const;

await run(command, async ({ config, log, options, positionals, signal, startProgress }) => {
  const { json = false, "dry-run": dryRun = false } = options;
  const asked = runCommand(positionals, options, config.runs);
  const scheduled = scheduleCommand(positionals, options, config.runs);
  const selection = positionals[0] === "republish" && republishSelection(options);
  const keep = positionals[0] === "prune" && keepDays(options, config.keep);
  if (!asked && !scheduled && !selection && !keep) {
    throw new PipelineError("usage", `runs: expected ${command.positionals}`);
  }
  await using tracing = await openTracing(config.traces, { name: "runs", log });
  await using store = await openRawStore(config.raw, { log, signal });
  const raw = tracedStore(store, tracing);
  if (asked) await asked({ ...raw, print, json, signal });
  if (scheduled) {
    const schedule = createScheduleDesk(raw.schedule);
    const backfills = createBackfillDesk(raw.backfills, raw.schedule);
    const { data, text } = await scheduled({ schedule, backfills });
    await print(json ? `${jsonLine(data)}\n` : text);
  }
  if (keep) {
    const openTopic = () => openReader(config.topic, { log, signal });
    const { name } = config.topic;
    const done = await prune(raw.old, { name, openTopic }, { keep, dryRun, log, signal });
    const counts = `${done.raw} raw rows, ${done.logs} log lines, ${done.runs} runs`;
    await print(
      json
        ? `${jsonLine({ ...done, dryRun })}\n`
        : `${counts} ${dryRun ? "to remove" : "removed"}\n`,
    );
  }
  if (!selection) return 0;
  const { rows } = await raw.kept.count(selection);
  if (!dryRun && rows > 0) {
    await using producer = await openProducer(config.topic, { log, signal });
    const topic = tracedPublisher(producer, tracing, config.topic);
    using progress = startProgress({ label: "republish", unit: "users", total: rows });
    const stations = { kept: raw.kept, outbox: raw.outbox, topic };
    await republish(selection, stations, { log, signal, onProgress: progress.show });
  }
  const text = `${rows} rows ${dryRun ? "to republish" : "republished"}`;
  await print(`${json ? JSON.stringify({ rows, dryRun }) : text}\n`);
  return 0;
});
