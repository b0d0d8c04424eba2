import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { silentLog as log } from "../../lib/log.ts";
import { retry } from "../../lib/retry.ts";
import { openSink } from "../../lib/sink/cassandra.ts";
import { failureOf } from "../failure.ts";
import { type Broken, openProxy } from "../proxy.ts";
import { openKeyspace, type TestKeyspace } from "../stations.ts";
import { until } from "../until.ts";
import { never, rows } from "../users.ts";

setDefaultTimeout(300_000);

let keyspace: TestKeyspace;
beforeAll(async () => {
  keyspace = await openKeyspace();
});
afterAll(() => keyspace[Symbol.asyncDispose]());

/** A table whose store is reached through a proxy, and one that looks at it past the proxy. */
async function openBehindProxy(...fault: Parameters<typeof openProxy>[1][]) {
  await using opening = new AsyncDisposableStack();
  const config = keyspace.config();
  const proxy = opening.use(await openProxy(config.contactPoints[0] ?? "", fault[0]));
  const direct = opening.use(await openSink(config, { log, signal: never }));
  const owned = opening.move();
  return {
    proxy,
    config: { ...config, contactPoints: [proxy.address] },
    count: async () => (await Array.fromAsync(direct.scan())).flat().length,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

// Side by side, for they wait most of the time: a request that is not answered takes its 12 seconds.
describe("a link to the store that breaks", () => {
  const ways: readonly Broken[] = ["refused", "reset", "half-open", "black hole", "frozen"];

  test.concurrent.each(ways)(
    "(%s) in the middle: writing goes on when it is mended",
    async (broken) => {
      await using it = await openBehindProxy({ fault: {} });
      await using sink = await openSink(it.config, { log, signal: never });
      const all = rows(16);
      await sink.upsert(all.slice(0, 8), never);
      await it.proxy.set({ broken });
      let said = 0;
      const warn = () => void said++;
      const upsert = () => sink.upsert(all, never);
      const options = { what: "the table", log: { ...log, warn } as typeof log, signal: never };
      const writing = retry(upsert, options);
      await until(() => said > 0);
      await it.proxy.open();
      expect(await writing).toEqual([]);
      expect(await it.count()).toBe(16);
    },
  );

  test.concurrent.each(["refused", "black hole"] as const)(
    "(%s) at the start is waited for",
    async (broken) => {
      await using it = await openBehindProxy({ fault: { broken } });
      let said = 0;
      const warn = () => void said++;
      const opening = openSink(it.config, { log: { ...log, warn } as typeof log, signal: never });
      await until(() => said > 0);
      await it.proxy.open();
      await using sink = await opening;
      expect(await sink.upsert(rows(10), never)).toEqual([]);
      expect(said).toBe(1);
    },
  );

  test.concurrent("again and again leaves no connections behind", async () => {
    await using it = await openBehindProxy({ fault: {} });
    await using sink = await openSink(it.config, { log, signal: never });
    for (let times = 0; times < 6; times++) {
      await it.proxy.set({ broken: times % 2 === 0 ? "refused" : "reset" });
      let tries = 0;
      const upsert = () => {
        tries += 1;
        return sink.upsert(rows(50), never);
      };
      const writing = retry(upsert, { what: "the table", maxMs: 500, log, signal: never });
      await until(() => tries > 3);
      await it.proxy.open();
      await writing;
    }
    await until(() => it.proxy.counts.standing === 1, { what: "one connection" });
    expect(await it.count()).toBe(300);
  });
});

describe("a store", () => {
  test.concurrent("that comes back under another address is found by its contact points", async () => {
    await using first = await openBehindProxy({ fault: {} });
    const target = keyspace.config().contactPoints[0] ?? "";
    await using second = await openProxy(target);
    const config = { ...first.config, contactPoints: [first.proxy.address, second.address] };
    await using sink = await openSink(config, { log, signal: never });
    await sink.upsert(rows(10), never);
    await second.open();
    await first.proxy.set({ broken: "refused" });
    const upsert = () => sink.upsert(rows(10), never);
    await retry(upsert, { what: "the table", log, signal: never });
    expect(second.counts.standing).toBeGreaterThan(0);
    expect(await first.count()).toBe(20);
  });

  test("behind a slow link gets fewer writes at once, until none times out", async () => {
    await using it = await openBehindProxy({ fault: {} });
    await using sink = await openSink(it.config, { log, signal: never });
    // As many at once as there may be, learnt from a store that is fast.
    for (let times = 0; times < 5; times++) await sink.upsert(rows(2000), never);
    // 128 requests of 3 kB would take longer than the time one has.
    await it.proxy.set({ bytesPerSecond: 25_000 });
    const write = () => sink.upsert(rows(1500), never);
    expect(await retry(write, { what: "the table", log, signal: never, attempts: 4 })).toEqual([]);
  });

  test.concurrent("that answers no more ends an aborted write within the time of a request", async () => {
    await using it = await openBehindProxy({ fault: {} });
    await using sink = await openSink(it.config, { log, signal: never });
    await it.proxy.set({ broken: "frozen" });
    const [stop, stopped] = [new AbortController(), new DOMException("stopped", "AbortError")];
    const writing = failureOf(sink.upsert(rows(1000), stop.signal));
    stop.abort(stopped);
    expect(await writing).toBe(stopped);
    await it.proxy.open();
  });
});
