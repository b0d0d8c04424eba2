import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { openListener } from "../../../lib/raw/bell.ts";
import { connect } from "../../../lib/raw/client.ts";
import { failureOf } from "../../failure.ts";
import { ownPostgres } from "../../own-postgres.ts";
import { openProxy } from "../../proxy.ts";
import { testPostgres } from "../../servers.ts";
import { uniqueIdentifier } from "../../stations.ts";
import { until } from "../../until.ts";
import { never } from "../../users.ts";

setDefaultTimeout(180_000);

/** Looking anyway comes too late for any of these tests: what wakes is the notification. */
const pollMs = 600_000;

/** Notifies again and again until who waits is woken. */
async function rings(url: string, channel: string, waited: Promise<void>): Promise<void> {
  const sql = connect(url, { connections: 1 });
  let woken = false;
  const waking = waited.then(() => {
    woken = true;
  });
  const notified = async () => {
    await sql`select pg_notify(${channel}, '')`.catch(() => {});
    return woken;
  };
  await until(notified, { what: `a ring of ${channel}` });
  await waking;
  await sql.end({ timeout: 1 });
}

describe("a bell", () => {
  test("rings for its own channel alone, and at once for what has rung before", async () => {
    const url = await testPostgres();
    const [mine, other] = [uniqueIdentifier(), uniqueIdentifier()];
    await using listener = openListener(url, { pollMs });
    const [bell, silent] = [listener.bell(mine), listener.bell(other)];
    const stop = new AbortController();
    const nothing = failureOf(silent.wait(stop.signal));
    await rings(url, mine, bell.wait(never));
    const sql = connect(url, { connections: 1 });
    await sql`select pg_notify(${mine}, '')`;
    await rings(url, other, listener.bell(other).wait(never));
    // Notifications come in their order: this one is here.
    await bell.wait(never);
    stop.abort(new DOMException("stopped", "AbortError"));
    expect((await nothing).message).toBe("stopped");
    await sql.end();
  });

  test("rings again after PostgreSQL was stopped and started", async () => {
    await using own = await ownPostgres();
    await using listener = openListener(own.url, { pollMs });
    const bell = listener.bell("news");
    await rings(own.url, "news", bell.wait(never));
    const waited = bell.wait(never);
    await own.stop();
    await own.start();
    await rings(own.url, "news", waited);
  });

  test("rings again after its connection went silent", async () => {
    const url = new URL(await testPostgres());
    await using proxy = await openProxy(url.host, { fault: {} });
    const behind = Object.assign(new URL(url), { host: proxy.address });
    const channel = uniqueIdentifier();
    await using listener = openListener(behind.href, { pollMs });
    const bell = listener.bell(channel);
    await rings(url.href, channel, bell.wait(never));
    await proxy.set({ broken: "black hole" });
    const waited = bell.wait(never);
    const { accepted } = proxy.counts;
    await until(() => proxy.counts.accepted > accepted, { what: "another connection" });
    await proxy.open();
    await rings(url.href, channel, waited);
  });

  test("that nobody has waited for needs no connection", async () => {
    const listener = openListener("postgres://postgres@127.0.0.1:1/postgres", { pollMs });
    listener.bell("news");
    await listener[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
  });
});
