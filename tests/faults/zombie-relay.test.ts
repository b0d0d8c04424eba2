import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { expectNothingLost } from "../fixtures/faults/invariant.ts";
import { takenFromOutbox } from "../fixtures/faults/points.ts";
import { openScene, type Scene } from "../fixtures/faults/scene.ts";
import { jsonOf, type RunningScript, startProgram, startScript } from "../scripts.ts";
import { openKeyspace, type TestKeyspace } from "../stations.ts";
import { until } from "../until.ts";

setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(async () => {
  await keyspace[Symbol.asyncDispose]();
});

/** How long a frozen process keeps what it holds. */
const keepsMs = "3000";

const start = (program: string, options: readonly string[], { settings }: Scene) =>
  startProgram(
    join(import.meta.dir, `../fixtures/faults/programs/${program}.ts`),
    options,
    settings,
  );

const recordsOf = async ({ reader, topic }: Scene) => {
  const marks = [...(await reader.watermarks(topic.name)).values()];
  return marks.reduce((sum, { high }) => sum + high, 0);
};

async function endWell(...all: readonly RunningScript[]): Promise<void> {
  for (const each of all) expect(await each.end("SIGTERM")).toMatchObject({ exitCode: 0 });
}

test("a relay frozen with rows in hand loses them to another, and publishes none of them", async () => {
  await using scene = await openScene(keyspace, { partitions: 2 });
  const [run = 0] = await scene.queue(1, 80);
  await using worker = start("worker", [], scene);
  await until(async () => (await scene.raw.runs.get(run))?.state === "success");
  const waiting = await scene.raw.outbox.waiting();
  expect(waiting).toBeGreaterThan(0);

  await using zombie = start("relay", ["--point", "taken", "--idle-ms", keepsMs], scene);
  await zombie.prints("at taken\n");
  zombie.signal("SIGSTOP");
  expect((await takenFromOutbox(scene)).size).toBe(waiting);
  await using heir = start("relay", [], scene);
  await until(async () => (await scene.raw.outbox.waiting()) === 0);
  expect(await recordsOf(scene)).toBe(waiting);

  zombie.signal("SIGCONT");
  await zombie.says('"msg":"waiting"');
  await zombie.says('"msg":"there again"');
  expect(await recordsOf(scene)).toBe(waiting);
  await endWell(zombie, heir, worker);
  await jsonOf("consume", ["--drain"], scene.settings);
  expect(await expectNothingLost(scene)).toMatchObject({ topic: waiting });
});

test("a worker frozen with a page in hand loses its run, and none of the page is kept", async () => {
  await using scene = await openScene(keyspace, { partitions: 2 });
  const [run = 0] = await scene.queue(1, 80);
  await using zombie = start("worker", ["--point", "after-body"], scene);
  await zombie.prints("at after-body\n");
  zombie.signal("SIGSTOP");
  await using heir = start("worker", ["--silent-ms", keepsMs], scene);
  await until(async () => (await scene.raw.runs.get(run))?.state === "success");
  const kept = () => scene.sql`select id, version, payload from raw_users order by id`;
  const before = await kept();
  expect(before).toHaveLength(80);
  const ended = await scene.raw.runs.get(run);
  expect(ended).toMatchObject({ attempt: 2, pages: 1, fetched: 80 });

  zombie.signal("SIGCONT");
  await zombie.says('"msg":"run taken over by another worker"');
  expect(await kept()).toEqual(before);
  expect(await scene.raw.runs.get(run)).toEqual(ended);
  await endWell(zombie, heir);
  await using ingest = startScript("ingest", [], scene.settings);
  await until(async () => (await scene.raw.outbox.waiting()) === 0);
  await endWell(ingest);
  await jsonOf("consume", ["--drain"], scene.settings);
  await expectNothingLost(scene);
});
