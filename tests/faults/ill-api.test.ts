import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Fault } from "../../lib/local/fake-api/faults.ts";
import { type FakeApiServer, startFakeApi } from "../../lib/local/fake-api/server.ts";
import { expectNothingLost } from "../fixtures/faults/invariant.ts";
import { beside, openScene, type Scene } from "../fixtures/faults/scene.ts";
import { openKeyspace, type TestKeyspace } from "../stations.ts";

setDefaultTimeout(240_000);

/** What the API does to its next requests, one each; those after them are answered well. */
const faults: Fault[] = [];

let keyspace: TestKeyspace;
let api: FakeApiServer;
let scene: Scene;
const services = new AsyncDisposableStack();

beforeAll(async () => {
  keyspace = await openKeyspace();
  scene = await openScene(keyspace, { partitions: 3 });
  api = startFakeApi({ faults: () => faults.shift() });
  const settings = { ...scene.settings, SOURCE_URL: api.url };
  for (const name of ["ingest", "consume"] as const) {
    services.use(await beside(name, { ...scene, settings }));
  }
});
afterAll(async () => {
  await services.disposeAsync();
  await api[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
  await keyspace[Symbol.asyncDispose]();
});

const users = 1000;

/** A run of so many users, of a seed of its own, that meets these faults. */
async function run(...met: readonly Fault[]) {
  faults.splice(0, faults.length, ...met);
  const seed = `${crypto.randomUUID()}-`;
  const made = await scene.raw.runs.create({ trigger: "manual", results: users, nat: [], seed });
  const before = await expectNothingLost(scene);
  expect(faults).toEqual([]);
  return { run: await scene.raw.runs.get(made.id), verified: before };
}

const fault = (kind: Fault["kind"], amount = 0): Fault => ({ kind, amount, times: 1 });

describe("an API that answers with", () => {
  test("429 without Retry-After is asked again, in the same attempt", async () => {
    const { run: done } = await run(fault("429"), fault("429"));
    expect(done).toMatchObject({ state: "success", attempt: 1, fetched: users, accepted: users });
  });

  test.each([
    ["500 in plain text", fault("500")],
    ["a page of a proxy", fault("html")],
    ["half of its JSON", fault("truncated")],
    ["a user fewer than asked for", fault("short", 1)],
    ["no user at all", fault("short", users)],
    ["a closed connection", fault("reset")],
  ])("%s fails the attempt: the run is tried again, and every user comes once", async (_, met) => {
    const { run: done } = await run(met, met);
    expect(done).toMatchObject({ state: "success", fetched: users, accepted: users });
    // Where a connection that was used before is closed, Bun asks once more by itself.
    expect(done?.attempt).toBeWithin(2, 4);
  });

  test("a second of silence first is waited for", async () => {
    const { run: done } = await run(fault("slow", 1000));
    expect(done).toMatchObject({ state: "success", attempt: 1, fetched: users, accepted: users });
    expect(done?.seconds).toBeGreaterThanOrEqual(1);
  });

  test("the same id twice in a page leaves one row, the later one", async () => {
    const { run: done } = await run(fault("duplicates", 0.3));
    expect(done).toMatchObject({ fetched: users, accepted: users, published: users });
    const [found] = await scene.sql<{ ids: number }[]>`
      select count(distinct user_id) as ids from raw_users where run_id = ${done?.id ?? 0}`;
    expect(found?.ids).toBeWithin(0.5 * users, 0.95 * users);
  });

  test("an id of before with other content leaves the newer content", async () => {
    for (const _ of [1, 2, 3]) await run(fault("changed", 0.8));
    const [found] = await scene.sql<{ changed: number }[]>`
      select count(*) as changed from (
        select user_id from raw_users group by user_id
        having count(distinct payload ->> 'email') > 2)`;
    expect(found?.changed).toBeGreaterThan(200);
  });

  test("users that are none keeps them aside, and the others come", async () => {
    const { run: done, verified } = await run(fault("invalid", 0.2));
    expect(done?.rejected).toBeWithin(0.1 * users, 0.3 * users);
    expect(done?.accepted).toBe(users - (done?.rejected ?? 0));
    expect(verified.rejected).toBe(done?.rejected ?? -1);
  });
});
