import { PipelineError } from "../lib/errors.ts";
import { faultKinds, parseFaults } from "../lib/local/fake-api/faults.ts";
import { startFakeApi } from "../lib/local/fake-api/server.ts";
import { run } from "../lib/run.ts";

await run(
  {
    name: "fake-api",
    about: [
      "An offline stand-in of randomuser.me: the same shapes, the same users for the same seed.",
      "Single requests misbehave by the query parameter or header: ?fault=500, x-fault: 500.",
      "",
      "Faults, as KIND[=AMOUNT][:TIMES], several separated by commas:",
      ...Object.entries(faultKinds).map(([kind, { about }]) => `  ${kind.padEnd(12)}${about}`),
    ].join("\n"),
    options: {
      port: { type: "string", value: "N", about: "port to listen on (8090; 0 takes a free one)" },
      host: { type: "string", value: "ADDRESS", about: "address to listen on (127.0.0.1)" },
      limit: { type: "string", value: "N", about: "users per five minutes before 429 (no limit)" },
      fault: { type: "string", value: "SPEC", about: "misbehave, such as 500:3 or invalid=0.01" },
    },
  },
  async ({ options, signal }) => {
    await using api = startFakeApi({
      port: whole("port", options.port ?? "8090", 65_535),
      hostname: options.host ?? "127.0.0.1",
      limit: whole("limit", options.limit ?? "0", 1_000_000_000),
      faults: options.fault === undefined ? [] : parseFaults(options.fault),
    });
    process.stdout.write(`${api.url}\nUse it: SOURCE_URL=${api.url} bun run ingest\n`);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return 0;
  },
);

function whole(option: string, text: string, most: number): number {
  if (/^\d{1,10}$/.test(text) && Number(text) <= most) return Number(text);
  throw new PipelineError("usage", `--${option} ${text}: expected a number from 0 to ${most}`);
}
