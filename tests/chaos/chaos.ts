import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageChain } from "../../lib/errors.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { sleep } from "../../lib/sleep.ts";
import { openOwnServers } from "../own-servers.ts";
import { runScript } from "../scripts.ts";
import { openFleet } from "./fleet.ts";
import { createSource } from "./load.ts";
import { keyOf, perform, type Scene } from "./perform.ts";
import { type PlannedFault, planOf } from "./plan.ts";
import { type ChaosReport, type FaultReport, quantile } from "./report.ts";
import { openTopic } from "./topic.ts";
import { judge } from "./verdict.ts";
import { openWatch, type Watch } from "./watch.ts";

export interface ChaosOptions {
  readonly seed: string;
  readonly minutes: number;
  readonly signal: AbortSignal;
  /** Told of each step, in a line. */
  readonly say: (line: string) => void;
  /** Told how far it has come. */
  readonly onProgress?: (records: number, seconds: number) => void;
}

/** Users of one scheduled run, and when runs are due. */
const load = { RESULTS: "1200", SCHEDULE: "*/3 * * * * *" };
/** Due once a year: the load is over. */
const noLoad = { ...load, SCHEDULE: "0 0 1 1 *" };
/** How long the work may take to come to its end when the faults are over. */
const settleMs = 300_000;

/**
 * Servers of its own behind links that go wrong, two ingest services and two consumers as real
 * processes, a steady load, and the faults that the seed draws; then everything is made whole, the
 * work comes to its end, and the stations are compared.
 */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, minutes, signal, say } = options;
  const began = performance.now();
  await using opening = new AsyncDisposableStack();
  const logDir = await mkdtemp(join(tmpdir(), "chaos-logs-"));
  let keepLogs = false;
  opening.defer(async () => {
    if (!keepLogs) await rm(logDir, { recursive: true, force: true });
  });
  say("starting Kafka, Cassandra and PostgreSQL");
  const servers = opening.use(
    await openOwnServers({ signal, onReady: (name) => say(`${name} is up`) }),
  );
  const source = createSource();
  const api = opening.use(startFakeApi({ faults: source.next }));
  const settings = { ...servers.linked, ...load, SOURCE_URL: api.url };
  const migrated = await runScript("migrate", [], servers.direct);
  if (migrated.exitCode !== 0) throw new Error(migrated.stderr);
  const topic = opening.use(await openTopic(servers.direct));
  const watch = opening.use(await openWatch(servers.direct));
  const fleet = opening.use(openFleet(logDir));
  for (const service of ["ingest", "consume"] as const) {
    for (const _ of [1, 2]) fleet.add(service, settings);
  }
  await watch.flows();
  say("rows flow; now the faults");
  const scene: Scene = { servers, fleet, settings, topic, source, signal };
  const plan = planOf({ seed, minutes });
  const { faults, failures } = await performAll(plan, scene, watch, options);
  signal.throwIfAborted();
  say("no more faults; waiting for the end of the work");
  const consumers = fleet.members("consume");
  await Promise.all(fleet.members("ingest").map((member) => member.retire()));
  for (const _ of [1, 2]) fleet.add("ingest", { ...settings, ...noLoad });
  if (consumers.length === 0) failures.push("no consumer is left");
  const settled = await settledWithin(watch, signal);
  if (settled !== undefined) failures.push(settled);
  const peakMb = await fleet.peakMb();
  say("ending the services and comparing the stations");
  const members = [...fleet.members("ingest"), ...fleet.members("consume")];
  await Promise.all(members.map((member) => member.retire()));
  const verdict = await judge(servers.direct, topic.sent);
  const { wrongEnds, restarts } = fleet;
  const clean = verdict.clean && failures.length === 0 && wrongEnds.length === 0;
  const report: ChaosReport = {
    ...{ seed, minutes, seconds: (performance.now() - began) / 1000, faults },
    ...{ records: verdict.verification.raw, runs: verdict.runs },
    ...{ verification: verdict.verification, differences: verdict.differences },
    ...{ poison: topic.sent, maxLag: watch.maxLag, peakMb, restarts, wrongEnds, failures, clean },
    way: { median: quantile(watch.ways, 0.5), longest: quantile(watch.ways, 1) },
  };
  keepLogs = !clean;
  if (keepLogs) say(`the processes' logs are kept in ${logDir}`);
  return report;
}

/** Begins each fault at its time, those of one target one after another, and sees rows flow again. */
async function performAll(
  plan: readonly PlannedFault[],
  scene: Scene,
  watch: Watch,
  { say, onProgress, minutes, signal }: ChaosOptions,
) {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const faults: FaultReport[] = [];
  const failures: string[] = [];
  const turns = new Map<string, Promise<void>>();
  const one = async (fault: PlannedFault, before: Promise<void> | undefined) => {
    await before;
    if (signal.aborted) return;
    const at = elapsed();
    const { kind, target } = fault;
    say(
      `${at.toFixed(0).padStart(4)} s  ${kind} on ${target}${fault.seconds ? `, ${fault.seconds} s` : ""}`,
    );
    await perform(fault, scene).catch((error) => {
      failures.push(`${kind} on ${target}: ${messageChain(error).join(": ")}`);
      say(failures.at(-1) ?? "");
    });
    const seconds = elapsed() - at;
    void watch.flows().then((recovery) => {
      faults.push({ kind, target, at, seconds, recovery: recovery ?? null });
    });
  };
  for (const fault of plan) {
    while (elapsed() < fault.at && !signal.aborted) {
      await sleep(500, signal).catch(() => {});
      await scene.fleet.peakMb();
      onProgress?.(watch.received, elapsed());
    }
    turns.set(keyOf(fault), one(fault, turns.get(keyOf(fault))));
  }
  await Promise.all(turns.values());
  const end = Math.max(60 * minutes, elapsed() + 5);
  while ((elapsed() < end || faults.length < plan.length) && !signal.aborted) {
    await sleep(500, signal).catch(() => {});
    onProgress?.(watch.received, elapsed());
    if (elapsed() > end + settleMs / 1000) {
      failures.push(`rows did not flow again after ${plan.length - faults.length} faults`);
      break;
    }
  }
  return { faults, failures };
}

/** Waits for the end of the work; what is still open when it does not come, in words. */
async function settledWithin(watch: Watch, signal: AbortSignal): Promise<string | undefined> {
  const deadline = performance.now() + settleMs;
  for (;;) {
    signal.throwIfAborted();
    const left = await watch.left();
    if (left && left.runs + left.outbox + left.lag === 0) return undefined;
    if (performance.now() > deadline) {
      return `the work did not come to its end: ${JSON.stringify(left ?? "unknown")}`;
    }
    await sleep(500, signal);
  }
}
