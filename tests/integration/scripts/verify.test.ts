import { expect, setDefaultTimeout, test } from "bun:test";
import { runScript, startScript } from "../../scripts.ts";
import { openKeyspace, openPipeline } from "../../stations.ts";
import { until } from "../../until.ts";

setDefaultTimeout(180_000);

test("verify whose connection is lost in the middle fails with one line that says what to do", async () => {
  await using keyspace = await openKeyspace();
  await using it = await openPipeline(keyspace);
  expect((await runScript("migrate", [], it.settings)).exitCode).toBe(0);
  await using verify = startScript("verify", ["--json"], it.settings);
  // What was received is counted, and the other stations are read.
  await until(async () => {
    const ended = await it.database.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`;
    return ended.length > 0;
  });
  const { exitCode, stdout, stderr } = await verify.end();
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
  const said = stderr.split("\n").filter((line) => !/^(\{|$)/.test(line));
  expect(said).toEqual([expect.stringMatching(/^verify: PostgreSQL, .*lost.*run it again/)]);
});
