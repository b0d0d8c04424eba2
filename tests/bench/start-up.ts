import { readConfig } from "../../lib/config.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { connect as connectStore } from "../../lib/sink/client.ts";
import { until } from "../until.ts";
import { atMost, type Row, spread } from "./figures.ts";
import { ourSide, runSide, type Settings, script, startSide } from "./side.ts";
import type { Bench, Stage } from "./stage.ts";

/** From the start of a process to its first row, with servers up and everything created. */
export const startUp: Stage = {
  name: "start-up",
  steps: ({ rounds }) => rounds,
  run: async (bench) => {
    await using api = startFakeApi();
    const consume: number[] = [];
    const ingest: number[] = [];
    for (let round = 1; round <= bench.rounds; round++) {
      bench.step(`start-up: round ${round} of ${bench.rounds}`);
      consume.push(await firstRow(bench));
      ingest.push(await firstRaw(bench, api.url));
    }
    return [
      row("consume", consume, [atMost("s", spread(consume).median, 1)]),
      row("ingest --once", ingest, []),
    ];
  },
};

function row(what: string, seconds: readonly number[], checks: Row["checks"]): Row {
  return { stage: "start-up", what, unit: "s", ours: spread(seconds), checks };
}

async function firstRow(bench: Bench): Promise<number> {
  await using pipeline = await bench.pipeline();
  const { signal } = bench;
  const { settings, table } = pipeline;
  await migrated(bench, settings);
  const file = await bench.records({ count: 1000 });
  await runSide(ourSide("publish", file, 0, 1000), { settings, signal });
  const client = await connectStore(readConfig(settings).sink);
  try {
    const since = performance.now();
    await using _ = startSide(script("consume"), { settings, signal });
    const there = async () =>
      (await client.execute(`select id from ${table} limit 1`)).rowLength > 0;
    await until(there, { what: "the first row" });
    return (performance.now() - since) / 1000;
  } finally {
    await client.shutdown();
  }
}

async function firstRaw(bench: Bench, sourceUrl: string): Promise<number> {
  await using pipeline = await bench.pipeline();
  const settings = { ...pipeline.settings, SOURCE_URL: sourceUrl };
  const { sql } = pipeline.database;
  await migrated(bench, settings);
  const since = performance.now();
  const options = { settings, signal: bench.signal };
  await using _ = startSide(script("ingest", "--once", "--results", 1000), options);
  const there = async () => (await sql`select id from raw_users limit 1`).length > 0;
  await until(there, { what: "the first raw row" });
  return (performance.now() - since) / 1000;
}

async function migrated({ signal }: Bench, settings: Settings): Promise<void> {
  await using side = startSide(script("migrate"), { settings, signal });
  await side.ended();
}
