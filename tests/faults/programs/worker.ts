import { performRuns } from "../../../lib/flow/perform-runs.ts";
import type { Source } from "../../../lib/flow/source-to-raw.ts";
import { openRawStore } from "../../../lib/raw/postgres.ts";
import { run } from "../../../lib/run.ts";
import { openSource } from "../../../lib/source/randomuser.ts";
import { createPause, pauseOptions } from "./pause.ts";

/* What scripts/ingest.ts performs runs with, pausing at a crash point: "after-body". */

const command = {
  name: "worker",
  about: "API -> PostgreSQL, pausing at a crash point.",
  endless: () => true,
  options: {
    ...pauseOptions,
    "silent-ms": { type: "string", value: "N", about: "for how long a silent worker keeps a run" },
  },
} as const;

await run(command, async ({ config, log, options, signal }) => {
  const silentMs = options["silent-ms"];
  const silent = silentMs ? { silentAfterMs: Number(silentMs) } : {};
  await using raw = await openRawStore(config.raw, { log, signal, ...silent });
  const source = openSource(config.source, { log });
  const pause = createPause(options, signal);
  const pausing: Source = {
    fetch: async (request, signal) => {
      const page = await source.fetch(request, signal);
      await pause("after-body");
      return page;
    },
  };
  const worker = `${process.pid}-${crypto.randomUUID()}`;
  await performRuns(raw.runs, pausing, { worker, log, signal });
  return 0;
});
