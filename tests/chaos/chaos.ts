import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageChain } from "../../lib/errors.ts";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { sleep } from "../../lib/sleep.ts";
import { openOwnServers } from "../own-servers.ts";
import { runScript } from "../scripts.ts";
import { openFleet, type Service } from "./fleet.ts";
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
  await using stage = await openStage(options);
  const { scene, watch, logs } = stage;
  await watch.flows();
  say("rows flow; now the faults");
  const { faults, failures } = await performAll(planOf({ seed, minutes }), scene, watch, options);
  signal.throwIfAborted();
  say("no more faults; waiting for the end of the work");
  await endLoad(scene);
  const unsettled = await settled(watch, signal);
  if (unsettled !== undefined) failures.push(unsettled);
  say("ending the services and comparing the stations");
  const peakMb = await scene.fleet.peakMb();
  await retireAll(scene, ["ingest", "consume"]);
  const { sent: poison } = stage.topic;
  const { clean, ...found } = await judge(scene.servers.direct, poison);
  const { wrongEnds, restarts } = scene.fleet;
  const report: ChaosReport = {
    ...{ seed, minutes, faults, ...found, poison, peakMb, restarts, wrongEnds, failures },
    records: found.verification.raw,
    maxLag: watch.maxLag,
    way: { median: quantile(watch.ways, 0.5), longest: quantile(watch.ways, 1) },
    seconds: (performance.now() - began) / 1000,
    clean: clean && failures.length + wrongEnds.length === 0,
  };
  if (!report.clean) say(`the processes' logs are kept in ${logs.keep()}`);
  return report;
}

/** Everything up and running: servers, links, the API, two services of each kind, and the watch. */
async function openStage({ signal, say }: ChaosOptions) {
  await using opening = new AsyncDisposableStack();
  const logs = opening.use(await openLogs());
  say("starting Kafka, Cassandra and PostgreSQL");
  const onReady = (name: string) => say(`${name} is up`);
  const servers = opening.use(await openOwnServers({ signal, onReady }));
  const source = createSource();
  const api = opening.use(startFakeApi({ faults: source.next }));
  const settings = { ...servers.linked, ...load, SOURCE_URL: api.url };
  const migrated = await runScript("migrate", [], servers.direct);
  if (migrated.exitCode !== 0) throw new Error(migrated.stderr);
  const topic = opening.use(await openTopic(servers.direct));
  const watch = opening.use(await openWatch(servers.direct));
  const fleet = opening.use(openFleet(logs.dir));
  for (const service of ["ingest", "consume", "ingest", "consume"] as const) {
    fleet.add(service, settings);
  }
  const scene: Scene = { servers, fleet, settings, topic, source, signal };
  const owned = opening.move();
  return { scene, watch, topic, logs, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A folder for the processes' logs, deleted unless it is to be kept. */
async function openLogs() {
  const dir = await mkdtemp(join(tmpdir(), "chaos-logs-"));
  let kept = false;
  return {
    dir,
    keep: () => {
      kept = true;
      return dir;
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await rm(dir, { recursive: true, force: true });
    },
  };
}

/** No more runs are due; what is queued and not published still has somebody to do it. */
async function endLoad(scene: Scene): Promise<void> {
  await retireAll(scene, ["ingest"]);
  for (const _ of [1, 2]) scene.fleet.add("ingest", { ...scene.settings, ...noLoad });
}

async function retireAll({ fleet }: Scene, services: readonly Service[]): Promise<void> {
  const members = services.flatMap((service) => fleet.members(service));
  await Promise.all(members.map((member) => member.retire()));
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
    const { kind, target } = fault;
    const at = elapsed();
    say(faultLine({ ...fault, at }));
    await perform(fault, scene).catch((error) => {
      failures.push(`${kind} on ${target}: ${messageChain(error).join(": ")}`);
      say(failures.at(-1) ?? "");
    });
    const seconds = elapsed() - at;
    void watch.flows().then((recovery) => {
      faults.push({ kind, target, at, seconds, recovery: recovery ?? null });
    });
  };
  const waitWhile = async (condition: () => boolean) => {
    while (condition() && !signal.aborted) {
      await sleep(500, signal).catch(() => {});
      await scene.fleet.peakMb();
      onProgress?.(watch.received, elapsed());
    }
  };
  for (const fault of plan) {
    await waitWhile(() => elapsed() < fault.at);
    turns.set(keyOf(fault), one(fault, turns.get(keyOf(fault))));
  }
  await Promise.all(turns.values());
  const end = Math.max(60 * minutes, elapsed());
  await waitWhile(() => elapsed() < end);
  await waitWhile(() => faults.length < plan.length && elapsed() < end + settleMs / 1000);
  const never = plan.length - faults.length;
  if (never > 0) failures.push(`rows did not flow again after ${never} faults`);
  return { faults, failures };
}

function faultLine({ at, kind, target, seconds }: PlannedFault): string {
  return `${at.toFixed(0).padStart(4)} s  ${kind} on ${target}${seconds ? `, ${seconds} s` : ""}`;
}

/** Waits for the end of the work; what is still open when it does not come, in words. */
async function settled(watch: Watch, signal: AbortSignal): Promise<string | undefined> {
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
