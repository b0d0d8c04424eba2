import { dlqOptions, dlqRequest } from "../lib/dlq-arguments.ts";
import { PipelineError } from "../lib/errors.ts";
import { type FoundLetter, findLetters } from "../lib/flow/letters.ts";
import { purgeLetters, replayLetters } from "../lib/flow/replay-letters.ts";
import { createLetterList, doneText, letterText, shownLetter } from "../lib/letter-text.ts";
import { print } from "../lib/print.ts";
import { jsonLine } from "../lib/printable.ts";
import { openRawStore } from "../lib/raw/postgres.ts";
import { run } from "../lib/run.ts";
import { letterTopic, openReplay } from "../lib/topic/letters.ts";
import { openReader } from "../lib/topic/reader.ts";
import { held } from "../lib/topic/watermarks.ts";

const command = {
  name: "dlq",
  about: "Dead letters and rejected rows: look at them, send them on their way again, drop them.",
  positionals: "list|show|replay|purge [id …]",
  options: dlqOptions,
} as const;

await run(command, async ({ config, log, options, positionals, signal, startProgress }) => {
  const { json = false } = options;
  const { action, ...request } = dlqRequest(positionals, options);
  await using reader = await openReader(config.topic, { log, signal });
  await using raw = await openRawStore(config.raw, { log, signal });
  await using index = await raw.openLetterIndex();
  const topic = letterTopic(reader, config.topic, { log, signal });
  const stations = { topic, index, rejected: raw.rejected };
  using progress = startProgress({ label: `dlq ${action}`, unit: "letters" });
  progress.expect(held(await reader.watermarks(config.topic.deadLetters)), "about");
  const asked = { ...request, log, signal, onProgress: progress.show };
  const list = createLetterList(json, print);
  const add = (page: readonly FoundLetter[]) => list.add(page.map(({ info }) => info));

  if (action === "list") {
    for await (const page of findLetters(stations, asked)) await add(page);
    await list.end();
    return 0;
  }
  if (action === "show") {
    for await (const [letter] of findLetters(stations, { ...asked, limit: 1 })) {
      if (!letter) continue;
      const shown = shownLetter(letter, await raw.rejected.payload(letter.info.raw ?? 0));
      await print(json ? `${jsonLine(shown)}\n` : letterText(shown));
      return 0;
    }
    throw new PipelineError("refused", `there is no letter ${request.filter.ids?.[0]}`);
  }
  const settling = { ...asked, ...(request.dryRun && !json ? { onLetters: add } : {}) };
  if (action === "purge") {
    await print(doneText(await purgeLetters(stations, settling), request.dryRun, json));
    return 0;
  }
  await using sender = await openReplay(config.topic, { log, signal });
  const users = { name: config.topic.name, send: sender.send };
  const replayed = await replayLetters({ ...stations, outbox: raw.outbox, users }, settling);
  await print(doneText(replayed, request.dryRun, json));
  return 0;
});
