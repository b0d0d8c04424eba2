import type { Random } from "../../lib/local/fake-api/random.ts";
import { until } from "../until.ts";
import { expectNothingLost, lagOf, workDone } from "./invariant.ts";
import { type CrashPoint, type Reached, takenFromOutbox, uncommitted } from "./points.ts";
import { beside, endingWell, type Scene } from "./scene.ts";

/** What happens to a process at its crash point. */
export type Blow = "kill -9" | "SIGTERM" | "short stop" | "long stop";

export interface Crash {
  readonly point: CrashPoint;
  readonly blow: Blow;
  readonly random: Random;
}

/**
 * Brings a process to its crash point and the blow down on it. Then another one, a real script, or
 * the one itself, continued, does the rest of the work, and nothing may be lost.
 */
export async function crash(scene: Scene, how: Crash): Promise<void> {
  await crashAndRecover(scene, how);
  // All processes of this have ended: nothing comes late.
  await expectNothingLost(scene);
}

async function crashAndRecover(scene: Scene, { point, blow, random }: Crash): Promise<void> {
  const runs = await scene.queue(3, random.between(60, 90));
  if (point.process === "consume") {
    await scene.poison(random.between(0, 8));
    await fetched(scene, runs.at(-1));
  }
  await using closing = new AsyncDisposableStack();
  const heir = async () => closing.use(await beside(point.process, scene));
  const ways = { time: random.between(1, 3), runs, pick: random.pick };
  const reached = await point.reach(scene, ways);
  closing.use(reached.process);
  for (const other of reached.others) closing.use(other);

  switch (blow) {
    case "kill -9":
      // The heir may be there already when it happens.
      if (random.pick([true, false])) await heir();
      await reached.process.end("SIGKILL");
      await reached.release();
      if (point.process === "ingest") await scene.outwait();
      await heir();
      break;
    case "SIGTERM":
      await told(reached, point);
      await givenBack(scene, point);
      await heir();
      break;
    case "short stop":
      await stopped(scene, point, reached, heir);
      break;
    case "long stop":
      await outlived(scene, point, reached, heir);
      break;
  }
  if (blow.endsWith("stop")) closing.use(endingWell(reached.process));
  await workDone(scene);
}

/** It ends by itself, within its deadline: after that it would end with 1. */
async function told(reached: Reached, { process }: CrashPoint): Promise<void> {
  const ended = reached.process.end("SIGTERM");
  // PostgreSQL answers at last, Kafka never.
  if (process === "ingest") await reached.release();
  const { exitCode, stderr } = await ended;
  if (exitCode !== 0) throw new Error(`SIGTERM: ended with ${exitCode}:\n${stderr}`);
  await reached.release();
}

/** What was not done is there for others at once, and a batch that was done is committed. */
async function givenBack(scene: Scene, { name, process }: CrashPoint): Promise<void> {
  if (process === "ingest") {
    const held = await scene.sql`select id from runs where state = 'running'`;
    const taken = await takenFromOutbox(scene);
    if (held.length + taken.size > 0)
      throw new Error(`${held.length} runs, ${taken.size} rows held`);
  } else if (name === "after-writes") {
    const { written } = await uncommitted(scene);
    if (written > 0) throw new Error(`${written} records written and not committed`);
  }
}

type Heir = () => Promise<unknown>;

/** SIGSTOP, and SIGCONT before its work is anybody else's: meanwhile others do what is free. */
async function stopped(scene: Scene, { process }: CrashPoint, reached: Reached, heir: Heir) {
  reached.process.signal("SIGSTOP");
  const more = await scene.queue(1, 60);
  if (process === "ingest") await heir();
  await fetched(scene, more.at(-1));
  reached.process.signal("SIGCONT");
  await reached.release();
}

/**
 * SIGSTOP, and SIGCONT after every time-out, when others have done its work and written newer
 * versions of the same users. What it still does must change nothing.
 */
async function outlived(scene: Scene, { process }: CrashPoint, reached: Reached, heir: Heir) {
  reached.process.signal("SIGSTOP");
  if (process === "ingest") {
    await reached.release();
    await scene.outwaitTransactions();
    await scene.outwait();
  }
  const more = await scene.queue(1, 60);
  await heir();
  await fetched(scene, more.at(-1));
  const done = () => lagOf(scene.reader, scene.topic.name).then((lag) => lag === 0);
  await until(done, { everyMs: 50, what: "the others have done its work" });
  reached.process.signal("SIGCONT");
  await reached.release();
  await scene.queue(1, 60);
}

/** Resolves when a run has ended and nothing of it waits to be published. */
async function fetched({ raw }: Scene, run = 0): Promise<void> {
  const isDone = async () => {
    const { state, accepted, published } = (await raw.runs.get(run)) ?? {};
    return state === "success" && accepted === published;
  };
  await until(isDone, { everyMs: 50, what: `run ${run} is on the topic` });
}
