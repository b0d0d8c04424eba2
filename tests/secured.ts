import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auth, Client } from "cassandra-driver";
import { classPath } from "../lib/local/jars.ts";
import { freePorts } from "../lib/local/ports.ts";
import { isRoot, systemAccount } from "../lib/local/privileges.ts";
import { down, up } from "../lib/local/servers.ts";
import { connect } from "../lib/raw/client.ts";
import { type Authority, openAuthority, storePassword } from "./certificates.ts";
import type { Settings } from "./scripts.ts";
import { until } from "./until.ts";

/*
 * Local servers that let nobody in without TLS and a password. Their certificates name 127.0.0.1 alone, so
 * that `localhost`, which is the same place, has the wrong name.
 */

export const account = "pipeline";
/** With signs that mean something in URLs, JSON, SQL and Kafka's own settings. */
export const passwords = {
  postgres: "p@ss:w/rd?#100%&'\"",
  kafka: "kafka p@ss:w/rd%'$",
  cassandra: "store p@ss:w/rd%'\"$",
} as const;

export interface SecuredServers extends AsyncDisposable {
  readonly authority: Authority;
  /** Has signed nothing that the servers use. */
  readonly stranger: Authority;
  /** As README's section on security has them. */
  readonly settings: Settings;
  /** Changes the password of the account; the clients' settings stay. */
  readonly setPassword: Readonly<Record<"postgres" | "kafka" | "cassandra", SetPassword>>;
}
type SetPassword = (password: string) => Promise<void>;

export async function openSecuredServers(): Promise<SecuredServers> {
  await using opening = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "secured-servers-"));
  opening.defer(() => rm(home, { recursive: true, force: true }));
  // PostgreSQL runs under another account where we are root: it must get there.
  await chmod(home, 0o711);
  const authority = await openAuthority(home);
  const stranger = await openAuthority(home, "stranger");
  const certificate = await authority.sign("server", "IP:127.0.0.1");
  const key = await serverKey(home, certificate.key);
  const hba = join(home, "pg_hba.conf");
  await writeFile(hba, "host all all 127.0.0.1/32 trust\n");
  const [sasl = 0] = freePorts(1);
  opening.defer(() => down({ home, wipe: true }));
  const started = await up({
    home,
    ports: { kafka: 0, cassandra: 0, postgres: 0 },
    dieWithParent: true,
    javaHome: Bun.env.JAVA_HOME,
    settings: {
      kafka: kafkaSettings(sasl, certificate.store),
      cassandra: {
        authenticator: "PasswordAuthenticator",
        authorizer: "CassandraAuthorizer",
        client_encryption_options: `{enabled: true, optional: false, keystore: ${JSON.stringify(certificate.store)}, keystore_password: ${storePassword}, store_type: PKCS12, require_client_auth: false}`,
      },
      postgres: {
        ...{ ssl: "on", ssl_cert_file: certificate.certificate, ssl_key_file: key },
        ...{ password_encryption: "scram-sha-256", hba_file: hba },
      },
    },
  });
  const port = (name: string) => started.find((one) => one.name === name)?.port ?? 0;
  const plainKafka = `127.0.0.1:${port("kafka")}`;
  const store = `127.0.0.1:${port("cassandra")}`;

  const sql = opening.adopt(
    connect(`postgres://postgres@127.0.0.1:${port("postgres")}/postgres`),
    (sql) => sql.end({ timeout: 5 }),
  );
  await sql.unsafe(`create role ${account} login`);
  await sql.unsafe(`create database pipeline owner ${account}`);
  const cassandra = opening.adopt(await superuser(store, authority.ca), (it) => it.shutdown());
  const quoted = (password: string) => `'${password.replaceAll("'", "''")}'`;
  await cassandra.execute(
    `create role ${account} with login = true and password = ${quoted(passwords.cassandra)}`,
  );
  await cassandra.execute(`grant all permissions on all keyspaces to ${account}`);
  const setPassword = {
    postgres: async (password: string) => {
      await sql.unsafe(`alter role ${account} password ${quoted(password)}`);
    },
    cassandra: async (password: string) => {
      // "Password for role can only be changed every 5000ms."
      await until(() =>
        cassandra.execute(`alter role ${account} with password = ${quoted(password)}`).then(
          () => true,
          () => false,
        ),
      );
    },
    kafka: (password: string) => addScramUser(plainKafka, password),
  };
  await setPassword.postgres(passwords.postgres);
  await setPassword.kafka(passwords.kafka);
  // From now on without TLS and a password nobody gets in; the session that is open stays.
  await writeFile(hba, `hostssl all ${account} 127.0.0.1/32 scram-sha-256\n`);
  await sql`select pg_reload_conf()`;
  await until(() => isRefused(`postgres://postgres@127.0.0.1:${port("postgres")}/postgres`));

  const owned = opening.move();
  const database = encodeURIComponent(passwords.postgres);
  return {
    authority,
    stranger,
    setPassword,
    settings: {
      DATABASE_URL: `postgres://${account}:${database}@127.0.0.1:${port("postgres")}/pipeline?sslmode=verify-full&sslrootcert=${authority.ca}`,
      KAFKA_BROKERS: `127.0.0.1:${sasl}`,
      KAFKA_PROPERTIES: JSON.stringify({
        "security.protocol": "sasl_ssl",
        "ssl.ca.location": authority.ca,
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": account,
        "sasl.password": passwords.kafka,
      }),
      CASSANDRA_CONTACT_POINTS: store,
      CASSANDRA_USERNAME: account,
      CASSANDRA_PASSWORD: passwords.cassandra,
      CASSANDRA_TLS_CA: authority.ca,
      PORT: "0",
      CONSUMER_PORT: "0",
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function kafkaSettings(port: number, store: string): Record<string, string> {
  const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
  // The backslash and the quote are signs of the JAAS language; the password has neither.
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${account}="${passwords.kafka}";`;
  const listener = `SASL_SSL://127.0.0.1:${port}`;
  return {
    listeners: listener,
    "advertised.listeners": listener,
    "listener.security.protocol.map": "SASL_SSL:SASL_SSL",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
    "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
    "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": store,
    "ssl.keystore.password": storePassword,
  };
}

async function isRefused(database: string): Promise<boolean> {
  const sql = connect(database);
  const refused = await sql`select 1`.then(
    () => false,
    () => true,
  );
  await sql.end({ timeout: 5 });
  return refused;
}

/** PostgreSQL takes a key only from its own account, or from root. */
async function serverKey(home: string, key: string): Promise<string> {
  await chmod(key, 0o600);
  if (!isRoot()) return key;
  const { uid, gid } = await systemAccount();
  const own = join(home, "postgres.key");
  await Bun.write(own, await Bun.file(key).text());
  await chmod(own, 0o600);
  Bun.spawnSync(["chown", `${uid}:${gid}`, own]);
  return own;
}

/** The account that a new Cassandra has, as soon as it has it. */
async function superuser(store: string, ca: string): Promise<Client> {
  const open = async () => {
    const client = new Client({
      contactPoints: [store],
      localDataCenter: "datacenter1",
      authProvider: new auth.PlainTextAuthProvider("cassandra", "cassandra"),
      sslOptions: { ca: [await Bun.file(ca).text()], rejectUnauthorized: true },
    });
    return await client.connect().then(
      () => client,
      () => client.shutdown().then(() => undefined),
    );
  };
  let client: Client | undefined;
  await until(
    async () => {
      client = await open();
      return client !== undefined;
    },
    { what: "the superuser of Cassandra" },
  );
  if (client === undefined) throw new Error("no superuser");
  return client;
}

/** With Kafka's own tool, for the client has no call for it. */
async function addScramUser(brokers: string, password: string): Promise<void> {
  const tool = Bun.spawn(
    [
      ...["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", classPath("kafka")],
      ...["kafka.admin.ConfigCommand", "--bootstrap-server", brokers, "--alter"],
      ...["--entity-type", "users", "--entity-name", account],
      ...["--add-config", `SCRAM-SHA-512=[iterations=4096,password=${password}]`],
    ],
    { stdout: "ignore", stderr: "pipe" },
  );
  if ((await tool.exited) !== 0) throw new Error(await new Response(tool.stderr).text());
}
