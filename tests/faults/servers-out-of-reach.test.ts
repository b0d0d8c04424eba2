import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile, readlink } from "node:fs/promises";
import { startFakeApi } from "../../lib/local/fake-api/server.ts";
import { type ServerName, serverNames } from "../../lib/local/servers.ts";
import { silentLog as log } from "../../lib/log.ts";
import { openRawStore, type RawStore } from "../../lib/raw/postgres.ts";
import { sleep } from "../../lib/sleep.ts";
import { expectNothingLost, type Stations } from "../fixtures/faults/invariant.ts";
import { type OwnServers, openOwnServers } from "../own-servers.ts";
import { openStations } from "../own-stations.ts";
import type { Broken, LinkFault } from "../proxy.ts";
import { type RunningScript, startScript } from "../scripts.ts";
import { until } from "../until.ts";
import { never } from "../users.ts";

/*
 * The same two processes live through all of this, on servers of their own behind links that can go wrong:
 * nothing may need a restart.
 */

setDefaultTimeout(600_000);

/** How long a fault lasts: a server is stopped for a minute in the long form. */
const brokenMs = 2000;
const stoppedMs = Number(Bun.env.TEST_STOPPED_SECONDS ?? 10) * 1000;
const users = 1000;
const withinMs = 300_000;

let servers: OwnServers;
let stations: Stations;
let raw: RawStore;
let ingest: RunningScript;
let consume: RunningScript;
const opened = new AsyncDisposableStack();

beforeAll(async () => {
  servers = opened.use(await openOwnServers());
  stations = opened.use(await openStations(servers.direct));
  raw = opened.use(
    await openRawStore({ url: servers.direct.DATABASE_URL ?? "" }, { log, signal: never }),
  );
  const api = opened.use(startFakeApi());
  // A minute that is hours away from any test.
  const SCHEDULE = `0 ${(new Date().getUTCHours() + 12) % 24} * * *`;
  const settings = { ...servers.linked, SOURCE_URL: api.url, SCHEDULE };
  ingest = opened.use(startScript("ingest", [], settings));
  consume = opened.use(startScript("consume", [], settings));
  await Promise.all([ingest.says('"listening"'), consume.says('"listening"')]);
});
afterAll(async () => {
  const ends = await Promise.all([ingest, consume].map((script) => script.end("SIGTERM")));
  await opened.disposeAsync();
  expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
});

/** Queues runs while servers are out of reach too, as a schedule would. */
async function queue(runs: number): Promise<void> {
  for (let run = 0; run < runs; run++) {
    const seed = `${crypto.randomUUID()}-`;
    await raw.runs.create({ trigger: "manual", results: users, nat: [], seed });
  }
}

async function consumedSoFar(): Promise<number> {
  const [sum] = await stations.sql<{ published: number }[]>`
    select count(*) as published from raw_users where id not in (select raw_id from outbox)`;
  return sum?.published ?? 0;
}

test("every byte between processes and servers goes through the links", async () => {
  await queue(1);
  await expectNothingLost(stations, { withinMs });
  for (const name of serverNames) {
    const { accepted, bytesUp, bytesDown } = servers.links[name].counts;
    // What the users take on their way: the API's JSON, the records, the rows.
    expect([name, accepted > 0, bytesUp + bytesDown > 200 * users]).toEqual([name, true, true]);
    const elsewhere = await connectionsPastLink(name);
    expect([name, elsewhere]).toEqual([name, 0]);
  }
});

describe("a link that is", () => {
  const faults: readonly (readonly [string, LinkFault])[] = [
    ["slow and uneven", { latencyMs: 200, jitterMs: 300 }],
    ["narrow", { bytesPerSecond: 200_000 }],
    ...(["reset", "refused", "half-open", "black hole", "frozen"] as const).map(
      (broken: Broken) => [broken, { broken }] as const,
    ),
  ];
  test.each(faults)("%s, to each server in turn, loses nothing", async (_, fault) => {
    for (const name of serverNames) {
      const before = await consumedSoFar();
      await queue(1);
      // In the middle of it.
      await until(async () => (await consumedSoFar()) > before, { timeoutMs: withinMs });
      await servers.links[name].set(fault);
      await sleep(brokenMs);
      await servers.links[name].open();
    }
    await expectNothingLost(stations, { withinMs });
  });
});

describe("a server that is stopped under load and comes back", () => {
  test.each([...serverNames])("%s: is waited for in bounded memory", async (name) => {
    await queue(5);
    await expectNothingLost(stations, { withinMs });
    const before = await memory();
    await queue(name === "postgres" ? 3 : 5);
    await servers.stop(name);
    if (name !== "postgres") await queue(2);
    await sleep(stoppedMs);
    const during = await memory();
    await servers.start(name);
    await expectNothingLost(stations, { withinMs });
    const after = await memory();
    for (const service of ["ingest", "consume"] as const) {
      const atWork = Math.max(before[service], warmMb);
      expect(during[service]).toBeLessThan(1.5 * atWork);
      expect(after[service]).toBeLessThan(1.5 * atWork);
    }
  });

  test("is killed: each of them", async () => {
    for (const name of serverNames) {
      await queue(1);
      await servers.signal(name, "SIGKILL");
      await servers.start(name);
    }
    await expectNothingLost(stations, { withinMs });
  });
});

/** What a service needs that has worked for some minutes: one just started is smaller. */
const warmMb = 130;

/** Resident memory in MB. */
async function memory() {
  const of = async ({ pid }: RunningScript) => {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  };
  return { ingest: await of(ingest), consume: await of(consume) };
}

/** Connections of the two processes that lead to the server itself. */
async function connectionsPastLink(name: ServerName): Promise<number> {
  const address = {
    kafka: servers.direct.KAFKA_BROKERS,
    cassandra: servers.direct.CASSANDRA_CONTACT_POINTS,
    postgres: new URL(servers.direct.DATABASE_URL ?? "").host,
  }[name];
  const port = Number(address?.split(":")[1]).toString(16).toUpperCase().padStart(4, "0");
  let found = 0;
  for (const { pid } of [ingest, consume]) {
    const sockets = await socketsOf(pid);
    for (const line of (await readFile(`/proc/${pid}/net/tcp`, "utf8")).split("\n")) {
      const fields = line.trim().split(/\s+/);
      if (fields[2]?.endsWith(`:${port}`) && sockets.has(fields[9] ?? "")) found += 1;
    }
  }
  return found;
}

async function socketsOf(pid: number): Promise<ReadonlySet<string>> {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) =>
      readlink(`/proc/${pid}/fd/${fd}`).catch(() => ""),
    ),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}
