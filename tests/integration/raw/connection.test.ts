import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { asked, type ConnectOptions, connect, transaction } from "../../../lib/raw/client.ts";
import { failureOf } from "../../failure.ts";
import { openProxy } from "../../proxy.ts";
import { testPostgres } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

/** The deadline of a call is this and two seconds. */
const statementMs = 500;

/** A pool behind a proxy that lets everything pass. */
async function open(options: ConnectOptions = {}) {
  await using opening = new AsyncDisposableStack();
  const url = new URL(await testPostgres());
  const proxy = opening.use(await openProxy(url.host, { fault: {} }));
  url.host = proxy.address;
  const sql = connect(url.href, { statementMs, connections: 3, ...options });
  opening.defer(() => sql.end({ timeout: 1 }));
  const owned = opening.move();
  const pid = async () => {
    const [row] = await asked("ask", () => sql<{ pid: number }[]>`select pg_backend_pid() as pid`);
    return row?.pid ?? 0;
  };
  return { sql, pid, proxy, url, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const passes = async (ms: number) => {
  const from = performance.now();
  await until(() => performance.now() > from + ms);
};

describe("a server that says nothing any more", () => {
  test.each(["black hole", "half-open", "frozen"] as const)(
    "(%s) is noticed by every call, the connections are given up, and new ones are made",
    async (broken) => {
      await using it = await open();
      const all = () => Promise.all([1, 2, 3].map(() => it.sql`select pg_sleep(0.1)`));
      await all();
      expect(it.proxy.counts.standing).toBe(3);
      await it.proxy.set({ broken });
      const failures = await Promise.all([1, 2, 3, 4, 5].map(() => failureOf(it.pid())));
      for (const failure of failures) expect(failure).toMatchObject({ code: "timeout" });
      await it.proxy.open();
      await all();
      await until(() => it.proxy.counts.standing === 3, { what: "no more than the pool has" });
    },
  );

  test("in the middle of a transaction ends it, and the next one goes on", async () => {
    await using it = await open();
    const lost = failureOf(
      asked("try", () =>
        transaction(it.sql, async (tx) => {
          await tx`select 1`;
          await it.proxy.set({ broken: "black hole" });
          await tx`select 2`;
        }),
      ),
    );
    expect(await lost).toMatchObject({ code: "timeout" });
    await it.proxy.open();
    expect(await transaction(it.sql, async (tx) => (await tx`select 3 as x`)[0])).toEqual({ x: 3 });
  });

  test("when it is to be closed does not hold up the end", async () => {
    await using it = await open();
    await it.pid();
    await it.proxy.set({ broken: "black hole" });
    const asking = failureOf(it.pid());
    await it.sql.end({ timeout: 1 });
    expect(await asking).toMatchObject({ code: "unavailable" });
  });
});

describe("the deadline leaves alone", () => {
  test("a transaction that waits for something else", async () => {
    await using it = await open();
    const found = await transaction(it.sql, async (tx) => {
      const before = await tx`select pg_backend_pid() as pid`;
      await passes(statementMs + 3000);
      return [before[0], (await tx`select pg_backend_pid() as pid`)[0]];
    });
    expect(found[0]).toEqual(found[1]);
  });

  test("a connection that idles, and one that is read from slowly", async () => {
    await using it = await open({ connections: 1 });
    const before = await it.pid();
    await passes(statementMs + 3000);
    expect(await it.pid()).toBe(before);
    const own = await it.sql.reserve();
    // The server counts what we wait between two pages; here it is the client that is asked.
    await own`set statement_timeout = 0`;
    let rows = 0;
    for await (const page of own`select n from generate_series(1, 20) n`.cursor(10)) {
      rows += page.length;
      await passes(statementMs + 3000);
    }
    own.release();
    expect(rows).toBe(20);
    expect(await it.pid()).toBe(before);
  });

  test("an answer that takes its time to arrive, as long as some of it does", async () => {
    await using it = await open();
    await it.pid();
    // Six seconds, of which the server sees little: the system takes most of it at once.
    await it.proxy.set({ bytesPerSecond: 500_000 });
    const [row] = await it.sql`select repeat('x', 3000000) as text`;
    expect(row?.text).toHaveLength(3_000_000);
  });
});

describe("a statement", () => {
  test("that takes too long is ended by the server, and the connection stays", async () => {
    await using it = await open({ connections: 1 });
    const before = await it.pid();
    const error = await failureOf(asked("sleep", () => it.sql`select pg_sleep(60)`));
    expect(error).toMatchObject({ code: "timeout" });
    expect(error.message).toContain("statement timeout");
    expect(await it.pid()).toBe(before);
  });

  test("whose connection is ended by the server rejects, and the next has a new one", async () => {
    await using it = await open({ connections: 1, statementMs: 60_000 });
    const admin = connect((await testPostgres()).toString());
    const before = await it.pid();
    const asleep = failureOf(asked("sleep", () => it.sql`select pg_sleep(60)`));
    await until(async () => {
      const [row] = await admin`select state from pg_stat_activity where pid = ${before}`;
      return row?.state === "active";
    });
    await admin`select pg_terminate_backend(${before})`;
    expect(await asleep).toMatchObject({ code: "unavailable" });
    expect(await it.pid()).not.toBe(before);
    // One that idles meanwhile is no failure of anybody's.
    const idle = await it.pid();
    await admin`select pg_terminate_backend(${idle})`;
    await until(async () => (await it.pid().catch(() => idle)) !== idle);
    await admin.end();
  });

  test("whose connection is reset rejects as unavailable, and the next has a new one", async () => {
    await using it = await open({ connections: 1 });
    await it.pid();
    const asleep = failureOf(asked("sleep", () => it.sql`select pg_sleep(60)`));
    await passes(100);
    it.proxy.cut();
    expect(await asleep).toMatchObject({ code: "unavailable" });
    expect(await it.pid()).toBeGreaterThan(0);
  });
});

describe("a server that is not there", () => {
  test("is found at the first call after it has come back, however long it was away", async () => {
    await using it = await open();
    await it.proxy.set({ broken: "refused" });
    for (let n = 0; n < 30; n++) {
      expect(await failureOf(it.pid())).toMatchObject({ code: "unavailable" });
    }
    await it.proxy.open();
    const from = performance.now();
    expect(await it.pid()).toBeGreaterThan(0);
    // The driver alone would wait for up to twenty seconds, after so many failures.
    expect(performance.now() - from).toBeLessThan(8000);
  });

  test("behind something that takes connections only to close them is unavailable", async () => {
    using closing = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.end(), data: () => {} },
    });
    const sql = connect(`postgres://postgres@127.0.0.1:${closing.port}/postgres`);
    const error = await failureOf(asked("ask", () => sql`select 1`));
    expect(error).toMatchObject({ code: "unavailable" });
    await sql.end({ timeout: 1 });
  });
});
