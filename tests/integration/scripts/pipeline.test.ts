import { expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import type { Verification } from "../../../lib/flow/verify.ts";
import { command, json, openPipeline, start } from "../../commands.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

test("users go from the API to the table, those who are none are kept with the reason", async () => {
  await using it = await openPipeline({ faults: [{ kind: "invalid", amount: 0.03, times: 1e9 }] });
  const once = ["ingest", "--once", "--results", "6000", "--seed", "mine", "--json"] as const;
  const run = await json<Run>([...once], it.settings);
  expect(run).toMatchObject({
    state: "success",
    attempt: 1,
    seed: "mine",
    fetched: 6000,
    pages: 2,
  });
  expect(run.rejected).toBeGreaterThan(100);
  expect(run.accepted).toBe(6000 - run.rejected);
  expect(run.published).toBe(run.accepted);

  const drained = await json(["consume", "--drain", "--json"], it.settings);
  expect(drained).toMatchObject({ records: run.accepted, rows: run.accepted, deadLetters: 0 });
  const first = await json<Verification>(["verify", "--json"], it.settings);
  const clean = { lost: 0, invented: 0, stale: 0, pending: 0, onTheWay: 0, deadLetters: 0 };
  const { rejected, accepted } = run;
  expect(first).toEqual({ raw: 6000, rejected, topic: accepted, table: accepted, ...clean });

  await json([...once], it.settings);
  await json(["consume", "--drain", "--json"], it.settings);
  const second = await json<Verification>(["verify", "--json"], it.settings);
  expect(second).toEqual({
    ...{ raw: 12_000, rejected: 2 * rejected, topic: 2 * accepted, table: accepted },
    ...clean,
  });
  expect(await json(["consume", "--drain", "--json"], it.settings)).toMatchObject({ records: 0 });
});

test("verify finds a row that is gone, one that was changed and one that nobody sent", async () => {
  await using it = await openPipeline();
  await json(["ingest", "--once", "--results", "50", "--json"], it.settings);
  expect(await json(["verify", "--json"], it.settings)).toMatchObject({ onTheWay: 50, table: 0 });
  await json(["consume", "--drain", "--json"], it.settings);
  const { rows } = await it.cql(`select id from ${it.table} limit 3`);
  const [gone, changed, older] = rows.map((row) => String(row.get("id")));
  const nobody = crypto.randomUUID();
  await it.cql(`delete from ${it.table} where id = ${gone}`);
  await it.cql(`update ${it.table} set first_name = 'x' where id = ${changed}`);
  await it.cql(`update ${it.table} using timestamp 1 set email = null where id = ${older}`);
  await it.cql(`insert into ${it.table} (id, first_name) values (${nobody}, 'y')`);
  const { code, stdout } = await command(["verify", "--json", "--ids"], it.settings);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ raw: 50, table: 50, lost: 1, stale: 1, invented: 1 },
    ids: { lost: [gone], stale: [changed], invented: [nobody] },
  });
});

test("a run asked for by HTTP and runs of the schedule are in the table by themselves", async () => {
  await using it = await openPipeline();
  const settings = { ...it.settings, SCHEDULE: "*/2 * * * * *", RESULTS: "4" };
  await using ingest = start(["ingest"], settings);
  await using consume = start(["consume"], settings);
  const url = await listening(ingest);
  const post = await fetch(new URL("/api/runs", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"results":10,"seed":"by-hand"}',
  });
  expect(post.status).toBe(202);
  const { id } = (await post.json()) as Run;
  const published = async () => {
    const run = (await (await fetch(new URL(`/api/runs/${id}`, url))).json()) as Run;
    return run.state === "success" && run.published === 10;
  };
  await until(published);
  const scheduled = () => it.sql<{ at: Date }[]>`
    select logical_time as at from runs where trigger = 'schedule' and state = 'success' order by 1`;
  await until(async () => (await scheduled()).length >= 2);
  for (const { at } of await scheduled()) expect(at.getTime() % 2000).toBe(0);

  ingest.stop();
  expect(await ingest.exited).toBe(0);
  const [{ raw } = { raw: 0 }] = await it.sql<
    { raw: number }[]
  >`select count(*) as raw from raw_users`;
  await until(async () => (await it.cql(`select count(*) from ${it.table}`)).first().get(0) >= raw);
  consume.stop("SIGINT");
  expect(await consume.exited).toBe(0);
  expect(await json(["verify", "--json"], it.settings)).toMatchObject({
    raw,
    table: raw,
    stale: 0,
  });
});

test("a run whose API answers HTML fails with one clear line, and keeps nothing", async () => {
  await using it = await openPipeline({ faults: [{ kind: "html", amount: 0, times: 1e9 }] });
  const { code, stdout } = await command(["ingest", "--once", "--results", "5"], it.settings);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^run 1 failed: .*answered text\/html.*, not JSON.*\n$/);
  expect(await it.sql`select * from raw_users`).toHaveLength(0);
});

test("a broker that is down at the start is waited for, said once, and a stop is heard", async () => {
  await using it = await openPipeline();
  await using ingest = start(["ingest"], { ...it.settings, KAFKA_BROKERS: "127.0.0.1:1" });
  await until(() => ingest.stderr().includes("waiting"));
  ingest.stop();
  expect(await ingest.exited).toBe(0);
  expect(ingest.stderr().match(/waiting/g)).toHaveLength(1);
  expect(ingest.stderr()).toContain("Kafka at 127.0.0.1:1");
});

test("a job that is stopped before it is done has failed", async () => {
  await using it = await openPipeline();
  await using verify = start(["verify"], {
    ...it.settings,
    CASSANDRA_CONTACT_POINTS: "127.0.0.1:1",
  });
  await until(() => verify.stderr().includes("waiting"));
  verify.stop();
  expect(await verify.exited).toBe(1);
  expect(verify.stderr()).toContain("verify: stopped by SIGTERM, not done");
});

test("a port in use is said in one line", async () => {
  await using it = await openPipeline();
  const PORT = new URL(it.settings.SOURCE_URL ?? "").port;
  const { code, stderr } = await command(["ingest"], { ...it.settings, PORT, LOG_LEVEL: "silent" });
  expect(code).toBe(1);
  expect(stderr).toBe(
    `ingest: 127.0.0.1:${PORT}: port ${PORT} is in use; PORT=… chooses another\n`,
  );
});

test.each(["ingest", "consume", "migrate", "verify"])(
  "%s refuses wrong settings together",
  async (name) => {
    const wrong = { PORT: "abc", RESULTS: "0", SCHEDULE: "nope", API_TOKEN: "short" };
    const { code, stderr } = await command([name], wrong);
    expect(code).toBe(2);
    for (const part of ['PORT="abc": expected', 'RESULTS="0": expected', 'SCHEDULE="nope"']) {
      expect(stderr).toContain(part);
    }
    expect(stderr).toContain("API_TOKEN=[secret]: expected at least 16");
    expect(stderr).not.toContain("short");
  },
);

test.each(["ingest", "consume", "migrate", "verify", "servers", "fake-api"])(
  "%s --help says how it is used",
  async (name) => {
    const { code, stdout } = await command([name, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: bun run ${name}`);
    expect(await command([name, "--nonsense"])).toMatchObject({ code: 2, stdout: "" });
  },
);

/** The address that a service says it listens on. */
async function listening(service: { stderr(): string }): Promise<string> {
  const address = () => /"url":"([^"]+)"/.exec(service.stderr())?.[1];
  await until(() => address() !== undefined);
  return address() ?? "";
}
