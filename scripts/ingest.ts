import { runRequest } from "../lib/arguments.ts";
import { runText } from "../lib/domain/run.ts";
import { ingestOnce } from "../lib/flow/ingest-once.ts";
import { startingApp } from "../lib/http/browser-app.ts";
import { listenEarly } from "../lib/http/listen.ts";
import { openServiceMetrics } from "../lib/metrics/service.ts";
import { print } from "../lib/print.ts";
import { jsonLine, printable } from "../lib/printable.ts";
import { run } from "../lib/run.ts";
import { openIngest } from "../lib/service/ingest.ts";
import { serve } from "../lib/service/serve.ts";

const command = {
  name: "ingest",
  about: "API -> PostgreSQL -> Kafka: on a schedule and by HTTP, or --once.",
  endless: ({ once }: { once?: boolean }) => !once,
  options: {
    once: { type: "boolean", about: "one run now; ends when its records are on the topic" },
    results: { type: "string", value: "N", about: "--once: how many users (RESULTS)" },
    seed: { type: "string", value: "S", about: "--once: the same seed gives the same users" },
    nat: { type: "string", value: "gb,us", about: "--once: nationalities (NAT)" },
    json: { type: "boolean", about: "--once: print the run as JSON" },
  },
} as const;

await run(command, async ({ config, log, options, signal, startProgress }) => {
  const request = runRequest(options, config.runs);
  using metrics = await openServiceMetrics({ log, now: () => new Date() });
  const early = { setting: "PORT", app: startingApp, metrics, log } as const;
  await using server = options.once ? undefined : listenEarly(config.http, early);
  await using ingest = await openIngest(config, { ...metrics, log, signal });
  if (server) {
    await serve(server, ingest, config, { metrics, log, signal });
    return 0;
  }
  const { source, topic, raw, working } = ingest;
  using progress = startProgress({ label: "ingest", unit: "users", total: request.results });
  const doing = { ...working, signal, onProgress: progress.show };
  const ended = await ingestOnce(request, { ...raw, source, topic }, doing);
  await print(`${options.json ? jsonLine(ended) : printable(runText(ended).trimEnd())}\n`);
  return ended.state === "success" ? 0 : 1;
});
