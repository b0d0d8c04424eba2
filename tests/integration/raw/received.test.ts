import { expect, setDefaultTimeout, test } from "bun:test";
import type { OpenStore } from "../../raw-store.ts";
import { claimed, manual, rawStores } from "../../raw-store.ts";
import { apiUsers, judgedPage } from "../../users.ts";

setDefaultTimeout(180_000);

const openStore = rawStores();

/** Receives these in a run of their own. */
async function receive(it: OpenStore, payloads: readonly unknown[]) {
  const run = await claimed(it);
  await it.runs.commitPage(run, judgedPage(payloads));
  await it.runs.finish(run, { outcome: "success" });
  return run.id;
}

const statesOf = async (it: OpenStore, id: string) =>
  (await it.received.received(id, 10)).map(({ raw, waiting, rejection }) =>
    [raw, waiting ? "waiting" : "gone", rejection?.stage ?? "accepted"].join(" "),
  );

test("a user is found each time that it was received, the newest first, with its run", async () => {
  await using it = await openStore();
  const [before, ada] = apiUsers(2);
  const id = ada?.login.uuid ?? "";
  const runs = [await receive(it, [before, ada]), await receive(it, [ada])];
  const found = await it.received.received(id, 10);
  expect(found.map(({ run }) => run)).toEqual(runs.toReversed());
  const traceIds = (await it.runs.list({ limit: 10 })).map((run) => run.traceId);
  expect(found[1]).toEqual({
    ...{ raw: 2, run: runs[0] ?? 0, page: 1, position: 1, attempt: 1, waiting: true },
    ...{ trigger: "manual", runState: "success", traceId: traceIds[1] ?? "", rejection: null },
    version: expect.any(Number),
    receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  });
  expect(await it.received.received(id, 1)).toEqual(found.slice(0, 1));
  await it.outbox.take(10, async () => []);
  expect(await statesOf(it, id)).toEqual(["3 gone accepted", "2 gone accepted"]);
  await it.sql`delete from runs where id = ${runs[0] ?? 0}`;
  expect((await it.received.received(id, 10))[1]).toMatchObject({
    ...{ run: runs[0], trigger: null, runState: null, traceId: null },
  });
  expect(await it.received.received(crypto.randomUUID(), 10)).toEqual([]);
});

test("the attempt is the one that has kept the page", async () => {
  await using it = await openStore();
  const [first, second] = apiUsers(2);
  const { id } = await it.runs.create(manual);
  for (const [page, user] of [first, second].entries()) {
    const run = await it.runs.claim("me", id);
    if (!run) throw new Error("no run");
    await it.runs.commitPage(run, judgedPage([user], page + 1));
    const again = { afterMs: 0, failures: 0 };
    await it.runs.finish(run, { outcome: "failed", errorChain: ["down"], again });
  }
  const attempts = await Promise.all(
    [first, second].map((user) => it.received.received(user?.login.uuid ?? "", 1)),
  );
  expect(attempts.map(([row]) => [row?.page, row?.attempt])).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

test("a row that was refused is found by the id in it, and none that only mentions it", async () => {
  await using it = await openStore();
  const [ada, bob, eve, mal] = apiUsers(4);
  const id = ada?.login.uuid ?? "";
  await receive(it, [
    { ...ada, email: 5 },
    { ...bob, login: { ...bob?.login, uuid: id.toUpperCase() }, email: 5, cell: "a\u0000b\ud800" },
    { ...eve, email: id, phone: 5 },
    { ...mal, login: { uuid: { of: id } } },
    id,
    [id],
    null,
  ]);
  expect(await statesOf(it, id)).toEqual(["2 gone fetch", "1 gone fetch"]);
  const [, row] = await it.received.received(id, 10);
  expect(row?.rejection).toEqual({
    ...{ stage: "fetch", path: "email", reason: "email: 5 is not text", purged: false },
    at: expect.stringMatching(/Z$/),
  });
  await it.rejected.purge([1]);
  expect((await it.received.received(id, 10))[1]?.rejection?.purged).toBe(true);
});

test("a row that the topic refused is found, and what became of dead letters", async () => {
  await using it = await openStore();
  const [ada] = apiUsers(1);
  await receive(it, [ada]);
  const rejection = { path: "", reason: "record: too large" };
  await it.outbox.take(10, async () => [{ index: 0, rejection }]);
  expect(await statesOf(it, ada?.login.uuid ?? "")).toEqual(["1 gone publish"]);

  const place = { topic: "t", partition: 1, offset: 5, timestampMs: 7, attempts: 2 };
  await using index = await it.openLetterIndex();
  await index.settle([{ ...place, raw: 1 }], "replayed");
  await index.settle([{ ...place, offset: 6, raw: 2 }], "purged");
  expect(await it.received.settled([1, 3])).toEqual([{ ...place, raw: 1, outcome: "replayed" }]);
  expect(await it.received.settled([])).toEqual([]);
});
