import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { createRandom } from "../../lib/local/fake-api/random.ts";
import { type Blow, crash } from "../fixtures/faults/crash.ts";
import { createLane, type Lane } from "../fixtures/faults/lane.ts";
import { type CrashPoint, points } from "../fixtures/faults/points.ts";
import { openKeyspace, type TestKeyspace } from "../stations.ts";

/*
 * Each process dies, or is stopped, at each of its crash points. By default at each point once by
 * kill -9, and a few times otherwise. TEST_CRASH_REPEATS=20 does everything at every point so many
 * times, and tells how it went. TEST_CRASH_SEED chooses among the ways there are to do it.
 */
const repeats = Number(Bun.env.TEST_CRASH_REPEATS || 1);
const isLong = repeats > 1;
const seed = Bun.env.TEST_CRASH_SEED || "1";

const chosen: Readonly<Record<Blow, readonly string[]>> = {
  "kill -9": points.map(({ name }) => name),
  SIGTERM: ["after-body", "after-ack", "after-writes", "during-commit"],
  "short stop": ["after-ack", "after-writes"],
  "long stop": ["after-body", "after-ack", "mid-writes"],
};

// All tests wait together for their turn.
setDefaultTimeout(600_000 + repeats * 600_000);

let keyspace: TestKeyspace;
let lanes: Readonly<Record<CrashPoint["process"], readonly Lane[]>>;
beforeAll(async () => {
  keyspace = await openKeyspace();
  // A dead consumer is mostly waited for: two at a time.
  lanes = {
    ingest: [createLane(keyspace, "ingest")],
    consume: [createLane(keyspace, "consume"), createLane(keyspace, "consume")],
  };
});
afterAll(async () => {
  for (const lane of [...lanes.ingest, ...lanes.consume]) await lane[Symbol.asyncDispose]();
  await keyspace[Symbol.asyncDispose]();
});

describe.each(Object.keys(chosen) as Blow[])("nothing is lost after %s", (blow) => {
  const here = points.filter(({ name }) => isLong || chosen[blow].includes(name));
  test.concurrent.each(here.map((point) => [point.name, point] as const))(
    "%s",
    async (name, point) => {
      const own = lanes[point.process];
      let seconds = 0;
      const went = await Promise.allSettled(
        Array.from({ length: repeats }, (_, at) => {
          const random = createRandom(`${seed} ${blow} ${name} ${at}`);
          return own[at % own.length]?.use(async (scene) => {
            const started = performance.now();
            await crash(scene, { point, blow, random });
            seconds += (performance.now() - started) / 1000;
          });
        }),
      );
      const failures = went.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
      const clean = repeats - failures.length;
      if (isLong) {
        const line = [blow, name, `${clean} of ${repeats} clean`, `${Math.round(seconds)} s`];
        process.stderr.write(`| ${line.join(" | ")} |\n`);
      }
      if (failures.length > 0) throw new AggregateError(failures, `${clean} of ${repeats} clean`);
    },
  );
});
