import type { Random } from "../../lib/local/fake-api/random.ts";
import type { RunningScript } from "../scripts.ts";
import { until } from "../until.ts";
import { expectNothingLost } from "./invariant.ts";
import { type CrashPoint, type Reached, uncommitted } from "./points.ts";
import { beside, type Scene } from "./scene.ts";

/** What happens to a process at its crash point. */
export type Blow = (typeof blows)[number];
export const blows = [
  "kill -9",
  "SIGTERM",
  /** SIGSTOP, and SIGCONT before anybody takes its work over. */
  "a short stop",
  /** SIGSTOP for longer than every time-out, and SIGCONT when others have done its work. */
  "a long stop",
] as const;

/**
 * Brings a process to its crash point, and the blow down on it. Then another one, a real script, or
 * the one continued, does the rest of the work, and nothing may be lost.
 */
export async function crash(
  scene: Scene,
  { point, blow, random }: { readonly point: CrashPoint; readonly blow: Blow; random: Random },
): Promise<void> {
  const runs = await scene.queue(3, random.between(60, 90));
  if (point.process === "consume") {
    await scene.poison(random.between(0, 8));
    await until(async () => (await open(scene)) === 0, { everyMs: 50, what: "records to consume" });
  }
  await using closing = new AsyncDisposableStack();
  const time = random.between(1, 3);
  const reached = await point.reach(scene, { time, runs, pick: random.pick });
  const { process } = reached;
  closing.use(process);
  for (const other of reached.others) closing.use(other);
  const heir = async () => closing.use(await beside(point.process, scene));

  if (blow === "kill -9") {
    if (random.pick([true, false])) await heir();
    await killed(process, reached);
    await scene.outwait();
    await heir();
  } else if (blow === "SIGTERM") {
    await told(process, reached);
    await workGivenBack(scene, point);
    await heir();
  } else {
    process.signal("SIGSTOP");
    const more = await scene.queue(1, 60);
    if (blow === "a long stop") await outlived(scene, point, reached, more);
    process.signal("SIGCONT");
    await reached.release();
  }
  await expectNothingLost(scene);
}
