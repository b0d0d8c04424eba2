import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Run } from "../../../lib/domain/run.ts";
import type { Verification } from "../../../lib/flow/verify.ts";
import { type FakeApiServer, startFakeApi } from "../../../lib/local/fake-api/server.ts";
import { jsonOf, runScript, type Settings, startScript } from "../../scripts.ts";
import { openSecuredServers, passwords, type SecuredServers } from "../../secured.ts";
import { uniqueIdentifier } from "../../stations.ts";

// Three servers start, Cassandra with its accounts: minutes on a busy machine.
setDefaultTimeout(300_000);

let servers: SecuredServers;
let api: FakeApiServer;
beforeAll(async () => {
  api = startFakeApi();
  servers = await openSecuredServers();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await servers?.[Symbol.asyncDispose]();
});

/** Settings of a pipeline of its own on these servers. */
function settings(over: Settings = {}): Settings {
  const name = uniqueIdentifier();
  return {
    ...servers.settings,
    SOURCE_URL: api.url,
    KAFKA_TOPIC: name,
    KAFKA_GROUP: name,
    KAFKA_PARTITIONS: "2",
    CASSANDRA_TABLE: name,
    ...over,
  };
}

const kafka = (over: Settings) => ({
  KAFKA_PROPERTIES: JSON.stringify({ ...properties(), ...over }),
});
const properties = (): Settings => JSON.parse(servers.settings.KAFKA_PROPERTIES ?? "");
const database = (change: (url: URL) => void) => {
  const url = new URL(servers.settings.DATABASE_URL ?? "");
  change(url);
  return { DATABASE_URL: url.href };
};
const port = (setting: string) => servers.settings[setting]?.split(":")[1];

describe("where every server asks for TLS and a password", () => {
  test("all scripts do their work, Kafka by SCRAM-SHA-512 and by PLAIN", async () => {
    const names = settings();
    for (const mechanism of ["SCRAM-SHA-512", "PLAIN"]) {
      const own = { ...names, ...kafka({ "sasl.mechanisms": mechanism }) };
      expect(await runScript("migrate", [], own)).toMatchObject({ exitCode: 0, stderr: "" });
      const asked = ["--once", "--results", "200", "--seed", `${mechanism}-`];
      const run = await jsonOf<Run>("ingest", asked, own);
      expect(run).toMatchObject({ state: "success", published: 200 });
      const drained = await jsonOf<object>("consume", ["--drain"], own);
      expect(drained).toMatchObject({ rows: 200, deadLetters: 0 });
    }
    expect(await jsonOf<Verification>("verify", [], names)).toMatchObject({
      ...{ raw: 400, pending: 0, topic: 400, table: 400, lost: 0, stale: 0, onTheWay: 0 },
    });
  });
});

/** What a script says while it waits, and that it waits for nothing else; without the secrets. */
async function waitsWith(over: Settings): Promise<string> {
  await using script = startScript("migrate", [], settings({ ...over, LOG_LEVEL: "debug" }));
  await script.says('"waiting"');
  const { stderr, stdout } = await script.end("SIGTERM");
  expect(stdout).toBe("");
  for (const secret of [...Object.values(passwords), "no such password"]) {
    expect(stderr).not.toContain(secret);
    expect(stderr).not.toContain(encodeURIComponent(secret));
    expect(stderr).not.toContain(JSON.stringify(secret).slice(1, -1));
  }
  return stderr;
}

describe("a server with a certificate of another authority", () => {
  test("is not talked to by PostgreSQL's client", async () => {
    const ca = servers.stranger.ca;
    const over = database((url) => url.searchParams.set("sslrootcert", ca));
    expect(await waitsWith(over)).toMatch(/PostgreSQL at .*(self.signed|certificate|verify)/);
  });

  test("is not talked to by Kafka's client", async () => {
    const over = kafka({ "ssl.ca.location": servers.stranger.ca });
    expect(await waitsWith(over)).toMatch(/Kafka at .*certificate/);
  });

  test("is not talked to by the store's client", async () => {
    const over = { CASSANDRA_TLS_CA: servers.stranger.ca };
    expect(await waitsWith(over)).toMatch(/the store at .*(self.signed|certificate|verify)/);
  });
});

describe("a server whose certificate has another name", () => {
  test("is not talked to by PostgreSQL's client, unless it is told to look at the authority alone", async () => {
    const over = database((url) => {
      url.hostname = "localhost";
    });
    expect(await waitsWith(over)).toMatch(/PostgreSQL at localhost.*(altnames|IDENTITY|name)/i);
    const lax = database((url) => {
      url.hostname = "localhost";
      url.searchParams.set("sslmode", "verify-ca");
    });
    expect((await runScript("migrate", [], settings(lax))).exitCode).toBe(0);
  });

  test("is not talked to by Kafka's client", async () => {
    const over = { KAFKA_BROKERS: `localhost:${port("KAFKA_BROKERS")}` };
    expect(await waitsWith(over)).toMatch(/Kafka at localhost.*(certificate|hostname)/);
  });

  test("is not talked to by the store's client", async () => {
    // The client goes to the address that a name stands for, so this one has a wrong address.
    const { certificate, key } = await servers.authority.sign("elsewhere", "IP:127.0.0.9");
    let heard = 0;
    using impostor = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      tls: { cert: Bun.file(certificate), key: Bun.file(key) },
      socket: {
        data: (_, bytes) => {
          heard += bytes.length;
        },
      },
    });
    const over = { CASSANDRA_CONTACT_POINTS: `127.0.0.1:${impostor.port}` };
    expect(await waitsWith(over)).toMatch(/the store at 127.*(altnames|IDENTITY|name)/i);
    expect(heard).toBe(0);
  });
});

describe("without TLS", () => {
  test("PostgreSQL lets nobody in, and that is said", async () => {
    const over = database((url) => {
      url.search = "?sslmode=disable";
    });
    expect(await waitsWith(over)).toContain("no encryption");
  });

  test("the store and Kafka answer nobody, and are waited for", async () => {
    expect(await waitsWith({ CASSANDRA_TLS_CA: "" })).toContain("the store at");
    expect(await waitsWith(kafka({ "security.protocol": "sasl_plaintext" }))).toContain("Kafka at");
  });
});

describe("a wrong password is waited for, said without it, and once it is right the work goes on:", () => {
  test.each(["postgres", "kafka", "cassandra"] as const)("%s", async (name) => {
    const wrong = "no such password";
    const words = { postgres: "password", kafka: "Authentication failed", cassandra: "incorrect" };
    const over = {
      postgres: database((url) => {
        url.password = encodeURIComponent(wrong);
      }),
      kafka: kafka({ "sasl.password": wrong }),
      cassandra: { CASSANDRA_PASSWORD: wrong },
    }[name];
    await using script = startScript("migrate", [], settings(over));
    await script.says('"waiting"');
    expect(script.stderr).toContain(words[name]);
    expect(script.stderr).not.toContain(wrong);
    await servers.setPassword[name](wrong);
    try {
      expect(await script.end()).toMatchObject({ exitCode: 0 });
      expect(script.stderr).toContain('"there again"');
    } finally {
      await servers.setPassword[name](passwords[name]);
    }
  });
});

describe("what cannot be used is said at once, with exit code 2:", () => {
  test.each([
    ["a missing file", { sslrootcert: "/no/such/ca.pem" }, "sslrootcert=/no/such/ca.pem: expected"],
    ["an unknown mode", { sslmode: "on" }, 'sslmode="on": expected one of disable'],
  ])("%s", async (_, parameters, words) => {
    const over = database((url) => {
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    });
    const { exitCode, stderr } = await runScript("migrate", [], settings(over));
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`DATABASE_URL: ${words}`);
    expect(stderr).not.toContain(encodeURIComponent(passwords.postgres));
  });
});
