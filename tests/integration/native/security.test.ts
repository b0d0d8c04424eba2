import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { classPath } from "../../../lib/local/jars.ts";
import { freePorts } from "../../../lib/local/ports.ts";
import { down, up } from "../../../lib/local/servers.ts";
import { loadKafkaClient } from "../../../lib/native/load.ts";
import { openAuthority, storePassword } from "../../certificates.ts";
import { call, failureOf, openConsumer, openProducer, openTopic } from "../../kafka-clients.ts";
import { runProgram } from "../../programs.ts";

setDefaultTimeout(180_000);

/** PLAIN users are in the broker's settings; SCRAM users are made by one who may. */
const [user, password] = ["ada", "open sesame"];
let home: string;
let tls: { ca: string; certificate: string; key: string };
let ports: Record<"plaintext" | "ssl" | "sasl" | "both", string>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kafka-security-"));
  const [ssl = 0, sasl = 0, both = 0] = freePorts(3);
  const authority = await openAuthority(home);
  const [server, client] = [
    await authority.sign("server", "IP:127.0.0.1"),
    await authority.sign("client", "IP:127.0.0.1"),
  ];
  tls = { ca: authority.ca, certificate: client.certificate, key: client.key };
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`;
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  const listeners = `SSL://127.0.0.1:${ssl},SASL_PLAINTEXT://127.0.0.1:${sasl},SASL_SSL://127.0.0.1:${both}`;
  // Takes unsigned tokens: for tests only, says Kafka.
  const bearer = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
  const modules = { plain, "scram-sha-256": scram, "scram-sha-512": scram, oauthbearer: bearer };
  const mechanisms = Object.entries(modules).flatMap(([mechanism, module]) =>
    ["sasl_plaintext", "sasl_ssl"].map((listener) => [
      `listener.name.${listener}.${mechanism}.sasl.jaas.config`,
      module,
    ]),
  );
  const [started] = await up({
    home,
    only: ["kafka"],
    ports: { kafka: 0 },
    dieWithParent: true,
    settings: {
      kafka: {
        listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": server.store,
        "ssl.keystore.password": storePassword,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": tls.ca,
        "ssl.client.auth": "none",
        "listener.name.ssl.ssl.client.auth": "required",
        ...Object.fromEntries(mechanisms),
      },
    },
  });
  const at = (port: number) => `127.0.0.1:${port}`;
  ports = { plaintext: at(started?.port ?? 0), ssl: at(ssl), sasl: at(sasl), both: at(both) };
});
afterAll(async () => {
  await down({ home, only: ["kafka"], wipe: true });
  await rm(home, { recursive: true, force: true });
});

/** A record through a topic of its own, with these settings on both sides. */
async function roundTrip(brokers: string, config: Record<string, unknown>): Promise<string> {
  await using topic = await openTopic(ports.plaintext);
  await using producer = await openProducer(brokers, config);
  await producer.send(topic.name, [{ value: Buffer.from("secret") }]);
  await using consumer = await openConsumer(brokers, config);
  consumer.client.assign([{ topic: topic.name, partition: 0, offset: 0 }]);
  return String((await consumer.take(1))[0]?.value);
}

const trusted = () => ({ "security.protocol": "ssl", "ssl.ca.location": tls.ca });

describe("TLS", () => {
  test("with certificates from files, and from the settings themselves", async () => {
    const files = { "ssl.certificate.location": tls.certificate, "ssl.key.location": tls.key };
    expect(await roundTrip(ports.ssl, { ...trusted(), ...files })).toBe("secret");
    const [ca = "", certificate = "", key = ""] = await Promise.all(
      [tls.ca, tls.certificate, tls.key].map((path) => readFile(path, "utf8")),
    );
    const texts = { "ssl.ca.pem": ca, "ssl.certificate.pem": certificate, "ssl.key.pem": key };
    expect(await roundTrip(ports.ssl, { "security.protocol": "ssl", ...texts })).toBe("secret");
  });

  test("is refused without the client's certificate, and by a client that does not know the authority", async () => {
    for (const config of [trusted(), { "security.protocol": "ssl" }]) {
      expect(await failureOf(() => connect(ports.ssl, config))).toMatchObject({ code: -195 });
    }
  });
});

describe("SASL", () => {
  test("PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, with and without TLS", async () => {
    await Promise.all(["SCRAM-SHA-256", "SCRAM-SHA-512"].map(addScramUser));
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
      const sasl = credentials(mechanism, password);
      const plain = { ...sasl, "security.protocol": "sasl_plaintext" };
      const safe = { ...sasl, ...trusted(), "security.protocol": "sasl_ssl" };
      expect(await roundTrip(ports.sasl, plain)).toBe("secret");
      expect(await roundTrip(ports.both, safe)).toBe("secret");
    }
  });

  test("OAUTHBEARER with a token that the program gives", async () => {
    const now = Math.floor(Date.now() / 1000);
    const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
    const claims = { sub: user, iat: now, exp: now + 600 };
    const tokenValue = `${part({ alg: "none" })}.${part(claims)}.`;
    const config = {
      "security.protocol": "sasl_plaintext",
      "sasl.mechanisms": "OAUTHBEARER",
      oauthbearer_token_refresh_cb: async () => ({
        tokenValue,
        lifetime: claims.exp * 1000,
        principal: user,
      }),
    };
    expect(await roundTrip(ports.sasl, config)).toBe("secret");
  });

  test("a wrong password is refused", async () => {
    const config = { ...credentials("PLAIN", "wrong"), "security.protocol": "sasl_plaintext" };
    const failure = await failureOf(() => connect(ports.sasl, config));
    expect([-195, -169]).toContain(failure.code ?? 0); // ERR__TRANSPORT, ERR__AUTHENTICATION
  });
});

test("a process that exits inside TLS traffic ends with the code it asked for", async () => {
  const config = {
    ...credentials("PLAIN", password),
    ...trusted(),
    "security.protocol": "sasl_ssl",
  };
  await using topic = await openTopic(ports.plaintext);
  const { exitCode, signal } = await runProgram("exit.ts", [
    ports.both,
    topic.name,
    JSON.stringify(config),
  ]);
  expect({ exitCode, signal }).toEqual({ exitCode: 7, signal: null });
});

function credentials(mechanism: string, secret: string) {
  return { "sasl.mechanisms": mechanism, "sasl.username": user, "sasl.password": secret };
}

/** Gives up soon: refusal is not an answer to librdkafka, which tries again until the time is over. */
async function connect(brokers: string, config: Record<string, string>): Promise<void> {
  const { Producer } = await loadKafkaClient();
  const producer = new Producer({ "bootstrap.servers": brokers, ...config });
  await call((done) => producer.connect({ timeout: 1500 }, done)); // disconnects when it fails
  await call((done) => producer.disconnect(done));
}

/** With Kafka's own tool, for the client has no call for it. */
async function addScramUser(mechanism: string): Promise<void> {
  const credentials = `${mechanism}=[iterations=4096,password=${password}]`;
  const tool = Bun.spawn(
    [
      ...["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", classPath("kafka")],
      ...["kafka.admin.ConfigCommand", "--bootstrap-server", ports.plaintext, "--alter"],
      ...["--entity-type", "users", "--entity-name", user, "--add-config", credentials],
    ],
    { stdout: "ignore", stderr: "pipe" },
  );
  if ((await tool.exited) !== 0) throw new Error(await new Response(tool.stderr).text());
}
