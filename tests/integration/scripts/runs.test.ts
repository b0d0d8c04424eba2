import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import { startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { jsonOf, runScript } from "../../scripts.ts";
import { openKeyspace, openPipeline } from "../../stations.ts";

setDefaultTimeout(180_000);

describe("runs", () => {
  test("republish brings a truncated table back, and leaves the runs as they were", async () => {
    await using keyspace = await openKeyspace();
    await using it = await openPipeline(keyspace);
    await using api = startFakeApi();
    const settings = { ...it.settings, SOURCE_URL: api.url };
    const run = await jsonOf<Run>("ingest", ["--once", "--results", "50"], settings);
    await jsonOf("consume", ["--drain"], settings);
    await keyspace.client.execute(`truncate ${it.table}`);
    expect(await jsonOf("verify", [], settings, 1)).toMatchObject({ lost: 50, table: 0 });

    const of = ["republish", "--run", String(run.id)];
    expect(await jsonOf("runs", [...of, "--dry-run"], settings)).toEqual({
      rows: 50,
      dryRun: true,
    });
    expect(await jsonOf("verify", [], settings, 1)).toMatchObject({ topic: 50 });
    expect(await jsonOf("runs", of, settings)).toEqual({ rows: 50, dryRun: false });
    await jsonOf("consume", ["--drain"], settings);
    expect(await jsonOf("verify", [], settings)).toMatchObject({ lost: 0, table: 50, topic: 100 });
    expect(await jsonOf("runs", ["show", String(run.id)], settings)).toMatchObject({
      ...{ state: "success", accepted: 50, published: 50 },
    });
  });

  test("retry is for failed runs alone", async () => {
    await using keyspace = await openKeyspace();
    await using it = await openPipeline(keyspace);
    await using api = startFakeApi();
    const settings = { ...it.settings, SOURCE_URL: api.url };
    const { id } = await jsonOf<Run>("ingest", ["--once", "--results", "5"], settings);
    const refused = await runScript("runs", ["retry", String(id)], settings);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("is success");
    await it.database.sql`update runs set state = 'failed', error = 'no' where id = ${id}`;
    expect(await jsonOf("runs", ["retry", String(id)], settings)).toMatchObject({
      ...{ id, state: "queued", error: null, pages: 1 },
    });
  });
});
