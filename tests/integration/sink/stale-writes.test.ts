import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { VersionedUser } from "../../../lib/domain/event.ts";
import { silentLog as log } from "../../../lib/log.ts";
import { type CassandraSink, openSink } from "../../../lib/sink/cassandra.ts";
import { openKeyspace, type TestKeyspace } from "../../stations.ts";
import { never, users } from "../../users.ts";

setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(() => keyspace[Symbol.asyncDispose]());

/** Which state of which user goes out next, and by whom. */
const writes = fc.array(
  fc.record({ who: fc.nat(4), version: fc.nat(9), instance: fc.nat(1), batch: fc.nat(4) }),
  { minLength: 1, maxLength: 80 },
);
type Write = { who: number; version: number; instance: number; batch: number };

/** Another value in every field for each version, so that a mixture of two is seen. */
function stateOf(ids: readonly string[], { who, version }: Write): VersionedUser {
  const other = String.fromCharCode("z".charCodeAt(0) - ((version * 7) % 10));
  const day = `200${(version * 3) % 10}-01-01`;
  const [user] = users(1, "stale");
  if (!user) throw new Error("no user");
  const fields = Object.keys(user).map((name) => [name, `${other} ${name} ${version}`]);
  return {
    user: { ...Object.fromEntries(fields), id: ids[who] ?? "", dob: day, registered_date: day },
    version: 1_700_000_000_000_000 + version,
  };
}

const batchesOf = (ids: readonly string[], all: readonly Write[], instance: number) =>
  [0, 1, 2, 3, 4].map((batch) =>
    all
      .filter((write) => write.instance === instance && write.batch === batch)
      .map((write) => stateOf(ids, write)),
  );

function newest(ids: readonly string[], all: readonly Write[]) {
  const found = new Map<string, VersionedUser>();
  for (const write of all.toSorted((a, b) => a.version - b.version)) {
    found.set(ids[write.who] ?? "", stateOf(ids, write));
  }
  return found;
}

async function found(sink: CassandraSink, ids: readonly string[]) {
  const rows = (await Array.fromAsync(sink.scan())).flat();
  return new Map(rows.filter(({ user }) => ids.includes(user.id)).map((row) => [row.user.id, row]));
}

const freshIds = () => Array.from({ length: 5 }, () => crypto.randomUUID() as string);

describe("of all states of a user that are written", () => {
  test("the newest stands whole, whatever the order, the batch and the instance", async () => {
    const config = keyspace.config();
    const options = { log, signal: never };
    await using first = await openSink(config, options);
    await using second = await openSink(config, options);
    const write = async (sink: CassandraSink, batches: readonly VersionedUser[][]) => {
      for (const rows of batches) await sink.upsert(rows, never);
    };
    await fc.assert(
      fc.asyncProperty(writes, async (all) => {
        const ids = freshIds();
        await Promise.all([
          write(first, batchesOf(ids, all, 0)),
          write(second, batchesOf(ids, all, 1)),
        ]);
        expect(await found(first, ids)).toEqual(newest(ids, all));
      }),
      { numRuns: 15 },
    );
  });

  test("the newest stands whole when the clocks of two instances are two hours apart", async () => {
    const config = keyspace.config();
    await using sink = await openSink(config, { log, signal: never });
    const folder = await mkdtemp(join(tmpdir(), "off-clocks-"));
    const ids = freshIds();
    const all = fc.sample(writes, 6).flat();
    const hour = 3_600_000;
    const writer = join(import.meta.dir, "../../off-clock-writer.ts");
    const codes = [-hour, hour].map(async (offMs, instance) => {
      const file = join(folder, `${instance}.json`);
      await Bun.write(file, JSON.stringify({ config, batches: batchesOf(ids, all, instance) }));
      const command = [process.execPath, writer, String(offMs), file];
      return await Bun.spawn(command, { stdout: "inherit", stderr: "inherit" }).exited;
    });
    expect(await Promise.all(codes)).toEqual([0, 0]);
    await rm(folder, { recursive: true });
    expect(await found(sink, ids)).toEqual(newest(ids, all));
  });
});
