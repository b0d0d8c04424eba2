import { type Config, readConfig } from "../../lib/config.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { freePorts } from "../../lib/local/ports.ts";
import { silentLog as log } from "../../lib/log.ts";
import { openReader } from "../../lib/topic/reader.ts";
import { until } from "../until.ts";
import { atLeast, type Measured, type Row, rateRow, short } from "./figures.ts";
import { latency, latencyRates } from "./latency.ts";
import { ourSide, type RunningSide, runSide, type Settings, script, startSide } from "./side.ts";
import { alternate, type Bench, type Stage, stepsOf } from "./stage.ts";

/** From the API to rows by both services, against the tutorial's loop and its rewrite in batches. */
export const whole: Stage = {
  name: "whole",
  steps: (bench) => stepsOf(bench, 3) + latencyRates.length * bench.sizes.latencyRounds,
  run: async (bench) => [...(await throughput(bench)), ...(await latency(bench))],
};

async function throughput(bench: Bench): Promise<Row[]> {
  await using api = startFakeApi();
  const { signal } = bench;
  const { whole, tutorial } = bench.sizes;
  const peer = (mode: string, count: number) => async (): Promise<Measured> => {
    await using pipeline = await bench.pipeline();
    const settings = { ...pipeline.settings, SOURCE_URL: api.url };
    return await runSide(ourSide("tutorial", mode, count), { settings, signal });
  };
  let costs = "";
  const measured = await alternate(bench, "whole", {
    ours: async () => {
      const { costs: found, ...one } = await throughServices(bench, api.url);
      costs = found;
      return one;
    },
    batches: peer("batches", whole),
    loop: peer("loop", tutorial),
  });
  const { ours = [], batches = [], loop = [] } = measured;
  const of = { stage: "whole", ours };
  return [
    rateRow(
      { ...of, what: "API to row", limit: batches, limitName: "in batches, no table", note: costs },
      ({ ratio }) => [atLeast("ratio", ratio?.median, 0.5)],
    ),
    rateRow(
      { ...of, what: "API to row", limit: loop, limitName: "the tutorial's loop" },
      ({ ratio }) => [atLeast("ratio", ratio?.median, 25)],
    ),
  ];
}

const warmUsers = 5000;

/** Both services run; a run is asked for, and is done when the group has committed all of it. */
async function throughServices(bench: Bench, sourceUrl: string) {
  const { signal, sizes } = bench;
  await using pipeline = await bench.pipeline();
  const [port = 0, consumerPort = 0] = freePorts(2);
  const settings: Settings = {
    ...pipeline.settings,
    SOURCE_URL: sourceUrl,
    PORT: String(port),
    CONSUMER_PORT: String(consumerPort),
    // Runs of its own would come in between.
    SCHEDULE: "0 0 1 1 *",
  };
  await using ingest = startSide(script("ingest"), { settings, signal });
  await using consume = startSide(script("consume"), { settings, signal });
  await Promise.all([ready(port), ready(consumerPort)]);
  const config = readConfig(settings).topic;
  await using reader = await openReader(config, { log, signal });
  const all = (count: number) => async () => (await committed(reader, config)) >= count;

  await ask(port, warmUsers);
  await until(all(warmUsers), { what: "the first run in the table" });
  const before = costs(bench, { ingest, consume });
  const since = performance.now();
  await ask(port, sizes.whole);
  await until(all(warmUsers + sizes.whole), { what: "the run in the table", timeoutMs: 600_000 });
  const seconds = (performance.now() - since) / 1000;
  const after = costs(bench, { ingest, consume });
  const perUser = Object.entries(after).map(([name, used]) => {
    const micros = ((used - (before[name] ?? 0)) * 1e6) / sizes.whole;
    return `${name} ${short(micros)}`;
  });
  return {
    records: sizes.whole,
    seconds,
    cpuSeconds: sum(after, ["ingest", "consume"]) - sum(before, ["ingest", "consume"]),
    peakMb: Math.max(ingest.used().peakMb, consume.used().peakMb),
    costs: `CPU µs a user: ${perUser.join(", ")}`,
  };
}

function costs(bench: Bench, sides: Readonly<Record<string, RunningSide>>): Record<string, number> {
  const { user, system } = process.cpuUsage();
  return {
    "API and bench": (user + system) / 1e6,
    ...Object.fromEntries(Object.entries(sides).map(([name, it]) => [name, it.used().cpuSeconds])),
    ...bench.serversCpu(),
  };
}

function sum(costs: Readonly<Record<string, number>>, names: readonly string[]): number {
  return names.reduce((total, name) => total + (costs[name] ?? 0), 0);
}

async function ready(port: number): Promise<void> {
  const answers = async () =>
    (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.ok ?? false;
  await until(answers, { what: "a service is ready" });
}

async function ask(port: number, results: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/runs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ results }),
  });
  if (answer.status !== 202) throw new Error(`${answer.status}: ${await answer.text()}`);
}

async function committed(
  reader: Awaited<ReturnType<typeof openReader>>,
  { name }: Config["topic"],
): Promise<number> {
  return [...(await reader.committed(name)).values()].reduce((total, offset) => total + offset, 0);
}
