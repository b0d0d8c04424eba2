import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Sql } from "../../../lib/raw/client.ts";
import { openSession, type Session } from "../../../lib/raw/session.ts";
import { failureOf } from "../../failure.ts";
import { testPostgres } from "../../servers.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

let url: string;
let admin: Sql;
beforeAll(async () => {
  url = await testPostgres();
  admin = connect(url, { connections: 2 });
});
afterAll(async () => {
  await admin.end({ timeout: 1 });
});

const lost = {
  name: "PipelineError",
  code: "unavailable",
  message: expect.stringContaining("run it again"),
};

const pidOf = (session: Session) =>
  session.ask("ask", async (sql) => {
    const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
    return row?.pid ?? 0;
  });

/** Ends the session's connection on the server, and resolves when the session has heard of that. */
async function end(pid: number, session: Session): Promise<void> {
  await admin`select pg_terminate_backend(${pid}, 60000)`;
  await until(async () => {
    const found = await pidOf(session).catch((error: Error) => error.message);
    // Never a new connection, which would know nothing of what was noted on this one.
    expect([pid, lost.message]).toContainEqual(found);
    return found !== pid;
  });
}

const numbers = (sql: Sql) =>
  sql<{ n: number }[]>`select n from generate_series(1, 100) n`.cursor(10);

describe("a session", () => {
  test("keeps what is in it from call to call", async () => {
    await using session = await openSession(url);
    await session.ask("note", (sql) => sql`create temporary table noted (n integer)`);
    await session.ask("note", (sql) => sql`insert into noted values (1), (2)`);
    const [row] = await session.ask("count", (sql) => sql`select count(*) as noted from noted`);
    expect(row).toEqual({ noted: 2 });
    const pages = await Array.fromAsync(session.pages("read", numbers));
    expect(pages.flat()).toHaveLength(100);
  });

  test("that was lost between two calls rejects every other", async () => {
    await using session = await openSession(url);
    await end(await pidOf(session), session);
    expect(await failureOf(pidOf(session))).toMatchObject(lost);
    expect(await failureOf(Array.fromAsync(session.pages("read", numbers)))).toMatchObject(lost);
  });

  test("that is lost in the middle of a call rejects that one and every other", async () => {
    await using session = await openSession(url);
    const pid = await pidOf(session);
    const asleep = failureOf(session.ask("sleep", (sql) => sql`select pg_sleep(60)`));
    await until(async () => {
      const [row] = await admin`select state from pg_stat_activity where pid = ${pid}`;
      return row?.state === "active";
    });
    await admin`select pg_terminate_backend(${pid})`;
    expect(await asleep).toMatchObject(lost);
    expect(await failureOf(pidOf(session))).toMatchObject(lost);
  });

  test("that is lost between two pages rejects: it does not say that all is read", async () => {
    await using session = await openSession(url);
    const pid = await pidOf(session);
    const seen: number[] = [];
    const reading = async () => {
      for await (const page of session.pages("read", numbers)) {
        seen.push(...page.map(({ n }) => n));
        if (seen.length === 10) await end(pid, session);
      }
    };
    expect(await failureOf(reading())).toMatchObject(lost);
    expect(seen).toHaveLength(10);
  });

  test("that is lost while its pages are left early does no harm", async () => {
    await using session = await openSession(url);
    const pid = await pidOf(session);
    for await (const _ of session.pages("read", numbers)) {
      await end(pid, session);
      break;
    }
    expect(await failureOf(pidOf(session))).toMatchObject(lost);
  });

  test("whose pages are left early goes on", async () => {
    await using session = await openSession(url);
    for await (const _ of session.pages("read", numbers)) break;
    expect(await pidOf(session)).toBeGreaterThan(0);
  });

  test("that a statement of is refused goes on", async () => {
    await using session = await openSession(url);
    const refused = await failureOf(session.ask("divide", (sql) => sql`select 1 / 0`));
    expect(refused).toMatchObject({
      code: "refused",
      message: "PostgreSQL, divide: division by zero",
    });
    expect(await pidOf(session)).toBeGreaterThan(0);
  });

  test("that cannot be made is none", async () => {
    const nowhere = failureOf(openSession("postgres://postgres@127.0.0.1:1/postgres"));
    expect(await nowhere).toMatchObject({ code: "unavailable" });
  });
});
